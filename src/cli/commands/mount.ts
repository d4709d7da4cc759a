import { BackupError, filterSnapshots, mount, nowNs, parsePathTemplate, requireMountPoint, resolveSnapshot, type Snapshot, type SnapshotList } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, filterOf } from '../filters.ts'
import { parseDuration, parseSize } from '../format.ts'
import { announceMount, mountInBackground } from '../mount-background.ts'
import { serveUntilEnd } from '../mount-end.ts'
import { argumentBytes } from '../raw-arguments.ts'
import { threadsOf } from './backup.ts'

const REFRESH = '60s'

export const command: Command = {
  usage: 'mount DIR',
  summary: 'Shows the repository below an empty folder, to be read with any program: snapshots/TIME holds a snapshot, latest is the newest, and ids, hosts, tags and labels lead to the same. Runs until Ctrl-C, "nacre unmount DIR" or "fusermount3 -u DIR".',
  example: ['-r /backup/repo mount /mnt/backup --background', 'then look into /mnt/backup/latest, and "nacre unmount /mnt/backup" at the end'],
  options: {
    snapshot: { kind: 'text', value: 'SNAPSHOT', describe: 'only this one' },
    background: { kind: 'flag', describe: 'return as soon as it is mounted' },
    refresh: { kind: 'text', value: '60s|off', describe: `look for new and forgotten snapshots when the last look was so long ago (${REFRESH})` },
    'path-template': { kind: 'texts', value: 'TEMPLATE', describe: 'where links to snapshots stand, instead of ids, hosts, tags and labels; repeat it: %i id, %I whole id, %h host, %u user, %t tag, %l label, %T time, %Y %m %d %H %M %S (example: hosts/%h/%Y/%T)' },
    'allow-other': { kind: 'flag', describe: 'let other users in, as far as modes, owners and access lists of the files let them' },
    'owner-root': { kind: 'flag', describe: 'show root as the owner of everything' },
    'no-default-permissions': { kind: 'flag', describe: 'let whoever may enter read everything, whatever the modes say' },
    noexec: { kind: 'flag', describe: 'let nothing in it be executed' },
    'cache-size': { kind: 'text', value: 'SIZE', describe: 'memory for data that was read (128M)' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads (one per core, two at most)' },
    ...FILTERS,
  },
  positionals: [1, 1],
  endsItself: true,
  outlivesReader: true,
  async run(context) {
    const { args, output } = context
    const target = argumentBytes(args.positionals[0]!)
    const refreshMs = refreshOf(args)
    const cacheBytes = cacheBytesOf(args)
    const threads = args.text('threads') === undefined ? undefined : Math.max(1, threadsOf(args))
    const filter = filterOf(args)
    const pathTemplates = args.texts('path-template').length === 0 ? undefined : args.texts('path-template')
    pathTemplates?.forEach(parsePathTemplate)
    requireMountPoint(target)
    if (args.flag('background')) return mountInBackground(context)
    const wanted = args.text('snapshot')
    const choose = (list: SnapshotList): readonly Snapshot[] => {
      const left = filterSnapshots(list.snapshots, filter)
      return wanted === undefined ? left : [resolveSnapshot(left, wanted, nowNs(), list.forgotten)]
    }
    const repository = await context.openRepository()
    const mounted = await mount(repository, {
      target, choose, refreshMs, cacheBytes, threads, pathTemplates,
      allowOther: args.flag('allow-other'),
      ownedByRoot: args.flag('owner-root'),
      checkPermissions: !args.flag('no-default-permissions'),
      noExec: args.flag('noexec'),
      onProblem: (message) => output.warn(`nacre: ${display(message)}`),
    })
    try {
      announceMount(output, mounted.path)
      await serveUntilEnd(mounted, output)
    } finally {
      await mounted[Symbol.asyncDispose]()
    }
    return EXIT.done
  },
}

function refreshOf(args: Arguments): number | undefined {
  const text = args.text('refresh') ?? REFRESH
  if (text === 'off') return undefined
  const ms = parseDuration(text)
  if (ms === undefined) throw new BackupError('INVALID_ARGUMENT', `--refresh takes a time such as 60s or 5min, or off, not "${text}"`)
  return ms
}

function cacheBytesOf(args: Arguments): number | undefined {
  const text = args.text('cache-size')
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes === undefined || bytes > Number.MAX_SAFE_INTEGER) throw new BackupError('INVALID_ARGUMENT', `--cache-size takes a size such as 256M, not "${text}"`)
  return bytes
}
