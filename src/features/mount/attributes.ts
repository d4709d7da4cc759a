/** What `stat` says of a node, in the kernel's terms. */
import type { Attributes } from '../../fuse/replies.ts'
import type { NodeType } from '../../snapshot/node.ts'
import { sectorsOf } from './content-range.ts'
import type { ViewEntry } from './view.ts'

const TYPE_BITS: Readonly<Record<NodeType, number>> = { fifo: 0o010000, character: 0o020000, directory: 0o040000, block: 0o060000, file: 0o100000, symlink: 0o120000, socket: 0o140000 }

/** @param ownedByRoot - whoever owned it */
export function attributesOf({ node, inode }: ViewEntry, ownedByRoot: boolean): Attributes {
  return {
    inode,
    size: node.target?.length ?? node.size,
    blocks: sectorsOf(node),
    atimeS: node.atime?.s ?? node.mtimeS,
    atimeNs: node.atime?.ns ?? node.mtimeNs,
    mtimeS: node.mtimeS,
    mtimeNs: node.mtimeNs,
    ctimeS: node.ctimeS,
    ctimeNs: node.ctimeNs,
    mode: TYPE_BITS[node.type] | node.mode,
    // A file that has lost its last name was open when it was backed up; here it has one.
    links: Math.max(1, node.links),
    uid: ownedByRoot ? 0 : node.uid,
    gid: ownedByRoot ? 0 : node.gid,
    rdev: node.rdev === undefined ? 0 : deviceNumber(node.rdev.major, node.rdev.minor),
  }
}

/** As the kernel packs it into 32 bits: twelve of the major number, twenty of the minor. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0
}
