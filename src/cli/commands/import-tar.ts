import { createReadStream } from 'node:fs'
import { BackupError, importTar, type ImportTarResult, shortId } from '../../index.ts'
import { tellKept } from '../backup-output.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { timeOf } from '../filters.ts'
import { count, duration, size } from '../format.ts'
import { bytesFrom, patientPlace } from '../patient-input.ts'
import { person } from '../person.ts'
import { startProgress } from '../progress.ts'
import { argumentBytes, isText } from '../raw-arguments.ts'
import { standardInput } from '../standard-input.ts'
import { levelOf, threadsOf } from './backup.ts'

export const command: Command = {
  usage: 'import-tar FILE|-',
  summary: 'Makes a snapshot of a tar, from a file or stdin: ustar, pax and GNU tar, not compressed. A tar that is cut short, or has names that are absolute or lead out of their folder, makes none.',
  example: ['-r /backup/repo import-tar - --below /srv/old --tag archive < old.tar', 'take an old tar in, as if it lay in /srv/old'],
  options: {
    below: { kind: 'text', value: 'DIR', describe: 'folder of the snapshot that the names are below (/)' },
    tag: { kind: 'texts', value: 'TAG', describe: 'tag the snapshot (may be repeated; commas part several)' },
    label: { kind: 'text', value: 'LABEL', describe: 'label the snapshot' },
    description: { kind: 'text', value: 'TEXT', describe: 'say what the snapshot is for' },
    host: { kind: 'text', value: 'HOST', describe: 'name of the host, if not this one\'s' },
    time: { kind: 'text', value: 'TIME', describe: 'time of the snapshot, if not now' },
    compression: { kind: 'text', value: 'LEVEL', describe: 'zstd level from -7 to 19, or off (2)' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [1, 1],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const options = {
      below: args.path('below'),
      person: person(args.text('host')),
      tags: args.texts('tag').flatMap((text) => text.split(',')).filter((tag) => tag !== ''),
      label: args.text('label'),
      description: args.text('description'),
      timeNs: timeOf(args, 'time'),
      level: levelOf(args.text('compression')),
      threads: threadsOf(args),
      signal,
    }
    const repository = await openRepository()
    const progress = startProgress(output, 'file')
    let result: ImportTarResult
    try {
      result = await importTar(repository, {
        ...options,
        stream: streamOf(args.positionals[0]!, signal),
        onEvent(event) {
          if (event.type === 'file') progress.file(event.path)
          else if (event.type === 'bytes') progress.bytes(event.bytes)
          else if (event.type === 'done') progress.done()
          else tellKept(output, event.bytes, 'import')
        },
      })
    } finally {
      progress.stop()
    }
    const { snapshotId, summary, durationMs } = result
    if (output.isJson) {
      output.json({ type: 'summary', snapshot_id: snapshotId, total_files: summary.totalFiles, total_bytes: summary.totalBytes, data_added: summary.dataAdded, data_added_stored: summary.dataAddedStored, duration_s: durationMs / 1000 })
    } else output.info(`${count(summary.totalFiles, 'file')} (${size(summary.totalBytes)}) imported, ${size(summary.dataAddedStored)} stored, in ${duration(durationMs)}; snapshot ${shortId(snapshotId)} saved`)
    return 0
  },
}

async function* streamOf(argument: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  if (argument === '-') return yield* standardInput(signal)
  const place = isText(argument) ? patientPlace(argument) : undefined
  if (place !== undefined) return yield* bytesFrom(place, signal)
  const path = argumentBytes(argument)
  try {
    yield* createReadStream(typeof path === 'string' ? path : Buffer.from(path), { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
    throw new BackupError('SOURCE_NOT_FOUND', `the tar cannot be read: ${display(cause.message)}`, { cause, path: argument })
  }
}
