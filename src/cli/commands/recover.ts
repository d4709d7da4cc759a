import { escapeBytes, type Orphan, recoverTrees, shortId, textFields } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { count, grouped, size, table } from '../format.ts'
import { localTime } from '../local-time.ts'
import { person } from '../person.ts'
import { repairProgress } from '../repair-output.ts'
import { threadsOf } from './backup.ts'

const SAID = {
  lost: 'its snapshot is lost',
  damaged: 'its snapshot cannot be read',
  open: 'a session that is open or was interrupted',
  fenced: 'a session that never committed',
  committed: 'left by a backup that committed another',
  swept: 'its snapshot was swept by a prune',
} as const

export const command: Command = {
  usage: 'recover [TREE…]',
  summary: 'Finds trees that no snapshot refers to, not even a forgotten one, and makes snapshots of them: of those whose snapshot the storage has lost, or of those that are named. It shows what there is, and does it with --apply.',
  example: ['-r /backup/repo recover --apply', 'bring back what lost snapshots held'],
  options: {
    apply: { kind: 'flag', describe: 'make the snapshots' },
    host: { kind: 'text', value: 'HOST', describe: 'host of the new snapshots (this one): the trees do not tell it' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const apply = args.flag('apply')
    const threads = threadsOf(args)
    const repository = await openRepository()
    const progress = repairProgress(output, 'tree')
    let found: readonly Orphan[]
    try {
      found = await recoverTrees(repository, { person: person(), threads, apply, host: args.text('host'), trees: args.positionals, signal, onEvent: progress.onEvent })
    } finally {
      progress.stop()
    }
    const chosen = found.filter(({ isChosen }) => isChosen)
    if (output.isJson) {
      for (const orphan of found) output.json(orphanJson(orphan))
      output.json({ type: 'summary', applied: apply, trees: found.length, chosen: chosen.length, recovered: apply ? chosen.length : 0 })
      return 0
    }
    if (found.length === 0) output.result('no tree is without a snapshot')
    else output.result(table(['', 'tree', 'files', 'size', 'lost', 'newest', 'path', 'of'], found.map(row)))
    if (chosen.length > 0) output.result(apply ? `made ${count(chosen.length, 'snapshot')}, tagged "recovered"` : `would make ${count(chosen.length, 'snapshot')} of those that are marked; nothing was changed, --apply does it`)
    else if (found.length > 0) output.result('none of them is known to be of a lost snapshot; name those to be recovered, "nacre cat tree ID" shows one')
    return 0
  },
}

function row({ tree, count: counted, lost, path, state, isChosen, snapshotId }: Orphan): string[] {
  const newest = counted?.newestNs
  const files = counted === undefined ? 'many' : grouped(counted.files)
  const of = snapshotId === undefined ? SAID[state] : `snapshot ${shortId(snapshotId)} was made of it`
  return [isChosen ? '*' : '', Buffer.from(tree).toString('hex').slice(0, 16), files, counted === undefined ? '' : size(counted.bytes), grouped(lost), newest === undefined ? '' : localTime(newest), display(escapeBytes(path)), of]
}

function orphanJson({ tree, sid, state, count: counted, lost, path, isChosen, snapshotId }: Orphan): unknown {
  return { type: 'tree', tree: Buffer.from(tree).toString('hex'), session: sid, state, ...textFields('path', path), files: counted?.files ?? null, bytes: counted?.bytes ?? null, lost, chosen: isChosen, snapshot_id: snapshotId ?? null }
}
