/** The commands by purpose, each loaded only when it is called. */
import type { Command } from './command.ts'

interface Entry {
  readonly purpose: string
  readonly summary: string
  readonly load: () => Promise<{ readonly command: Command }>
}

export const COMMANDS = {
  init: { purpose: 'Backing up', summary: 'make a repository', load: () => import('./commands/init.ts') },
  backup: { purpose: 'Backing up', summary: 'make a snapshot of files and folders', load: () => import('./commands/backup.ts') },
  'import-tar': { purpose: 'Backing up', summary: 'make a snapshot of a tar', load: () => import('./commands/import-tar.ts') },
  snapshots: { purpose: 'Looking and restoring', summary: 'list the snapshots', load: () => import('./commands/snapshots.ts') },
  ls: { purpose: 'Looking and restoring', summary: 'list what a snapshot holds', load: () => import('./commands/ls.ts') },
  find: { purpose: 'Looking and restoring', summary: 'look for names in all snapshots', load: () => import('./commands/find.ts') },
  history: { purpose: 'Looking and restoring', summary: 'list the versions that there are of a file', load: () => import('./commands/history.ts') },
  diff: { purpose: 'Looking and restoring', summary: 'tell what differs between two snapshots, or a snapshot and files', load: () => import('./commands/diff.ts') },
  dump: { purpose: 'Looking and restoring', summary: 'write a file, or a folder as tar or zip, to stdout', load: () => import('./commands/dump.ts') },
  'export-tar': { purpose: 'Looking and restoring', summary: 'write a snapshot, or a part of one, as a tar', load: () => import('./commands/export-tar.ts') },
  browse: { purpose: 'Looking and restoring', summary: 'look around in snapshots, folders and versions, in the terminal', load: () => import('./commands/browse.ts') },
  mount: { purpose: 'Looking and restoring', summary: 'show every snapshot as a folder', load: () => import('./commands/mount.ts') },
  unmount: { purpose: 'Looking and restoring', summary: 'take such a folder away again', load: () => import('./commands/unmount.ts') },
  restore: { purpose: 'Looking and restoring', summary: 'write a snapshot, or a part of one, to a folder', load: () => import('./commands/restore.ts') },
  forget: { purpose: 'Keeping some', summary: 'give snapshots up, by a policy or by name', load: () => import('./commands/forget.ts') },
  unforget: { purpose: 'Keeping some', summary: 'bring a forgotten snapshot back', load: () => import('./commands/unforget.ts') },
  pin: { purpose: 'Keeping some', summary: 'keep a snapshot whatever the policy', load: () => import('./commands/pin.ts') },
  unpin: { purpose: 'Keeping some', summary: 'take a pin away', load: () => import('./commands/unpin.ts') },
  tag: { purpose: 'Keeping some', summary: 'change the tags of snapshots', load: () => import('./commands/tag.ts') },
  describe: { purpose: 'Keeping some', summary: 'change what is said of a snapshot', load: () => import('./commands/describe.ts') },
  check: { purpose: 'Keeping it sound', summary: 'find out whether everything is there and whole', load: () => import('./commands/check.ts') },
  repair: { purpose: 'Keeping it sound', summary: 'mend the index, packs, snapshots or files', load: () => import('./commands/repair.ts') },
  recover: { purpose: 'Keeping it sound', summary: 'make snapshots of trees that have none', load: () => import('./commands/recover.ts') },
  prune: { purpose: 'Keeping it sound', summary: 'free what no snapshot uses', load: () => import('./commands/prune.ts') },
  sessions: { purpose: 'Keeping it sound', summary: 'list open sessions, or fence one', load: () => import('./commands/sessions.ts') },
  stats: { purpose: 'Keeping it sound', summary: 'tell how much is stored and how much was saved', load: () => import('./commands/stats.ts') },
  key: { purpose: 'Keeping it sound', summary: 'list, add, remove and change passwords', load: () => import('./commands/key.ts') },
  probe: { purpose: 'Keeping it sound', summary: 'try whether the storage does what safety rests on', load: () => import('./commands/probe.ts') },
  cat: { purpose: 'Looking inside', summary: 'show an object of the repository', load: () => import('./commands/cat.ts') },
  cache: { purpose: 'Looking inside', summary: 'show or clear the local cache', load: () => import('./commands/cache.ts') },
  completion: { purpose: 'Looking inside', summary: 'print a script that completes commands in a shell', load: () => import('./commands/completion.ts') },
} as const satisfies Record<string, Entry>

export type CommandName = keyof typeof COMMANDS

export function overview(): string {
  const purposes = new Map<string, string[]>()
  for (const [name, { purpose, summary }] of Object.entries(COMMANDS)) {
    purposes.set(purpose, [...(purposes.get(purpose) ?? []), `  ${name.padEnd(12)}${summary}`])
  }
  const groups = [...purposes].map(([purpose, lines]) => `${purpose}\n${lines.join('\n')}`)
  return `nacre: deduplicating, encrypted backups

usage: nacre COMMAND [OPTION]… [ARGUMENT]…

${groups.join('\n\n')}

"nacre COMMAND --help" tells more of each.

  nacre -r /backup/repo init
  nacre -r /backup/repo backup /home/me
  nacre -r /backup/repo restore latest --target /tmp/restored
`
}
