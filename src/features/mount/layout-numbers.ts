/**
 * Numbers for the nodes above the snapshots. A link that comes to lead elsewhere is another node, as
 * the kernel keeps where it led. What has gone from the layout keeps its number, for those who still
 * have something open below it.
 */
import { ROOT_ID } from '../../fuse/opcodes.ts'
import { BackupError } from '../../util/errors.ts'
import type { LayoutEntry, LayoutFolder } from './layout.ts'

export interface LayoutNumbers {
  of(entry: LayoutEntry): number
  /** As it was last seen. */
  get(number: number): LayoutEntry | undefined
}

/** Beyond are the numbers of snapshots' own nodes. */
const NUMBERS = 2 ** 20

export function createLayoutNumbers(): LayoutNumbers {
  const numbers = new Map<string, number>([['', ROOT_ID]])
  const seen = new Map<number, LayoutEntry>()
  return {
    of(entry) {
      const key = entry.kind === 'link' ? `${entry.path}\0${entry.target}` : entry.kind === 'snapshot' ? `${entry.path}\0${entry.snapshot.id}` : entry.path
      const number = numbers.get(key) ?? ROOT_ID + numbers.size
      if (number >= NUMBERS) throw new BackupError('INVALID_ARGUMENT', 'more snapshots have come and gone than one mount can name: mount again')
      numbers.set(key, number)
      seen.set(number, entry)
      return number
    },
    get: (number) => seen.get(number),
  }
}

/** The folder as it is in a newer layout. */
export function folderIn(root: LayoutFolder, path: string): LayoutFolder | undefined {
  let at: LayoutEntry | undefined = root
  for (const name of path === '' ? [] : path.split('/')) at = at?.kind === 'folder' ? at.entries.get(name) : undefined
  return at?.kind === 'folder' ? at : undefined
}
