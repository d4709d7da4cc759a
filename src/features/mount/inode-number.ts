/**
 * Numbers of inodes as programs see them: equal for the names of one file, also across snapshots as
 * long as the file is the same, so that `diff -r` of two snapshots passes over what did not change;
 * different for every folder, as those who walk trees rely on; and the same at every mount. 64 bits
 * of a hash in two halves: no program keeps anything by them that a collision could cost.
 */
import type { InodeNumber } from '../../fuse/replies.ts'
import { dataView } from '../../util/bytes.ts'
import type { Content } from '../../snapshot/content.ts'
import type { Node } from '../../snapshot/node.ts'

/** Of a folder, or of anything that has no number of its own. */
export function inodeOfName(parent: InodeNumber, name: Uint8Array): InodeNumber {
  const hash = begin()
  mix(hash, parent.high)
  mix(hash, parent.low)
  for (const byte of name) mix(hash, byte)
  return end(hash)
}

/** Of all else that a snapshot holds. */
export function inodeOfFile(node: Node): InodeNumber {
  const hash = begin()
  mixNumber(hash, Number(BigInt(node.inode) & 0xffffffffffffn))
  mix(hash, node.device ?? 0)
  mixNumber(hash, node.ctimeS)
  mix(hash, node.ctimeNs)
  mixNumber(hash, node.mtimeS)
  mix(hash, node.mtimeNs)
  mixNumber(hash, node.size)
  mix(hash, node.type.length)
  if (node.content !== undefined) mixContent(hash, node.content)
  return end(hash)
}

interface Hash {
  a: number
  b: number
}

function begin(): Hash {
  return { a: 0x9e3779b9 | 0, b: 0x85ebca6b | 0 }
}

/** Two multiplicative mixes side by side, each fed by the other. */
function mix(hash: Hash, word: number): void {
  hash.a = Math.imul(hash.a ^ word, 0x85ebca77)
  hash.a ^= hash.a >>> 15
  hash.b = Math.imul(hash.b ^ word ^ hash.a, 0xc2b2ae3d)
  hash.b ^= hash.b >>> 13
}

function mixNumber(hash: Hash, value: number): void {
  mix(hash, value | 0)
  mix(hash, Math.floor(value / 2 ** 32) | 0)
}

/** Ids are hashes themselves: some bytes of each are enough. */
function mixContent(hash: Hash, content: Content): void {
  const bytes = content.kind === 'inline' ? content.records : content.root
  const view = dataView(bytes)
  for (let at = 0; at + 8 <= bytes.length; at += 36) {
    mix(hash, view.getInt32(at, true))
    mix(hash, view.getInt32(at + 4, true))
  }
}

/** Never 0, which is no inode. */
function end(hash: Hash): InodeNumber {
  mix(hash, 0x27d4eb2f)
  mix(hash, 0x165667b1)
  return { high: (hash.a >>> 0) & 0x7fffffff, low: (hash.b >>> 0) | 1 }
}
