import { BackupError, type CheckEvent, checkRepository, type CheckResult, type Finding, type ReadData, shortId, textFields } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { count, duration, parseSize, size } from '../format.ts'
import type { Output } from '../output.ts'
import { startProgress } from '../progress.ts'
import { threadsOf } from './backup.ts'

const SUFFERERS_SHOWN = 20

export const command: Command = {
  usage: 'check',
  summary: 'Finds out whether all that the snapshots need is there; with --read-data also whether it is whole. It changes nothing.',
  example: ['-r /backup/repo check --read-data-subset 10%', 'read a tenth of the packs'],
  options: {
    'read-data': { kind: 'flag', describe: 'read and verify every pack' },
    'read-data-subset': { kind: 'text', value: '10%|2/7|500M', describe: 'read a random share, one part of several, or so many bytes' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [0, 0],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const readData = readDataOf(args)
    const threads = threadsOf(args)
    const repository = await openRepository()
    const progress = startProgress(output, 'pack')
    const onEvent = (event: CheckEvent): void => {
      if (event.type === 'expectation') progress.expect(event.packs, event.bytes)
      else if (event.type === 'object') progress.done()
      else if (event.type === 'bytes') progress.bytes(event.bytes)
      else if (event.type === 'notice') output.warn(`nacre: ${display(event.message)}`)
      else if (output.isJson) output.json(findingJson(event.finding))
      else tellFinding(output, event.finding)
    }
    let result: CheckResult
    try {
      result = await checkRepository(repository, { readData, threads, signal, onEvent })
    } finally {
      progress.stop()
    }
    const errors = result.findings.filter((finding) => finding.severity === 'error').length
    const warnings = result.findings.length - errors
    if (output.isJson) {
      output.json({ type: 'summary', errors, warnings, snapshots: result.snapshots, packs: result.packs, packs_read: result.packsRead, bytes_read: result.bytesRead, duration_s: result.durationMs / 1000 })
    } else {
      const read = readData === undefined ? '' : `, ${count(result.packsRead, 'pack')} (${size(result.bytesRead)}) read`
      output.info(`checked ${count(result.snapshots, 'snapshot')} and ${count(result.packs, 'pack')}${read} in ${duration(result.durationMs)}`)
      output.result(errors === 0 ? (warnings === 0 ? 'no errors' : `no errors, ${count(warnings, 'warning')}`) : `${count(errors, 'error')}, ${count(warnings, 'warning')}`)
    }
    return errors > 0 ? EXIT.failed : EXIT.done
  },
}

function readDataOf(args: Arguments): ReadData | undefined {
  const text = args.text('read-data-subset')
  if (text === undefined) return args.flag('read-data') ? { kind: 'all' } : undefined
  if (args.flag('read-data')) throw new BackupError('INVALID_ARGUMENT', 'give --read-data or --read-data-subset, not both')
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) return { kind: 'percent', percent: Number(percent) }
  const part = /^(\d{1,6})\/(\d{1,6})$/.exec(text)
  if (part !== null && Number(part[1]) >= 1 && Number(part[1]) <= Number(part[2])) return { kind: 'part', part: Number(part[1]), of: Number(part[2]) }
  const bytes = parseSize(text)
  if (bytes === undefined || bytes === 0) throw new BackupError('INVALID_ARGUMENT', `--read-data-subset takes a share (10%), a part (2/7) or a size (500M), not "${text}"`)
  return { kind: 'bytes', bytes }
}

function findingJson(finding: Finding): unknown {
  const suffers = finding.suffers.map(({ snapshotId, path, part }) => ({ snapshot_id: snapshotId, ...textFields('path', path), ...(part === undefined ? {} : { part }) }))
  return { type: 'finding', severity: finding.severity, code: finding.code, object: finding.object, message: finding.message, suffers, ...(finding.blobs === undefined ? {} : { blobs: finding.blobs }), advice: finding.advice }
}

function tellFinding(output: Output, finding: Finding): void {
  const line = output.isQuiet ? output.warn : output.result
  line(`${finding.severity}: ${display(finding.object)}: ${display(finding.message)}`)
  const shown = output.isVerbose ? finding.suffers : finding.suffers.slice(0, SUFFERERS_SHOWN)
  for (const { snapshotId, path, part } of shown) line(`  suffers: ${shortId(snapshotId)}${part === undefined ? `:${displayPath(path)}` : ' (its list of skipped files)'}`)
  if (shown.length < finding.suffers.length) line(`  and ${finding.suffers.length - shown.length} more (-v shows all)`)
  if (output.isVerbose) for (const blobId of finding.blobs ?? []) line(`  blob: ${blobId}`)
  line(`  what to do: ${finding.advice}`)
}
