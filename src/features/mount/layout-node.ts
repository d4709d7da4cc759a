/** What stands above the snapshots, as nodes like those within. */
import { utf8 } from '../../util/bytes.ts'
import type { Node } from '../../snapshot/node.ts'
import { rootNode } from '../../snapshot/tree-walk.ts'
import type { LayoutEntry } from './layout.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

const SECOND_NS = 1_000_000_000n

/** @param owner - of what is no part of a snapshot */
export function layoutNode(name: string, entry: LayoutEntry, owner: Owner): Node {
  const seconds = Number((entry.timeNs - (((entry.timeNs % SECOND_NS) + SECOND_NS) % SECOND_NS)) / SECOND_NS)
  const nanoseconds = Number(((entry.timeNs % SECOND_NS) + SECOND_NS) % SECOND_NS)
  const times = { mtimeS: seconds, mtimeNs: nanoseconds, ctimeS: seconds, ctimeNs: nanoseconds }
  if (entry.kind === 'snapshot') return { ...rootNode(entry.snapshot.tree), ...times, ...owner, name: utf8(name), links: 2 }
  const common = { name: utf8(name), ...owner, size: 0, ...times, inode: 0 }
  if (entry.kind === 'link') return { ...common, type: 'symlink', mode: 0o777, links: 1, target: utf8(entry.target) }
  const folders = [...entry.entries.values()].filter(({ kind }) => kind !== 'link').length
  return { ...common, type: 'directory', mode: 0o555, links: 2 + folders }
}
