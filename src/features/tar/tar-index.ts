/**
 * The entries of a tar, which come in any order, by path: later ones replace earlier ones, as they
 * do when a tar is unpacked, and hard links find what they link to.
 */
import { decodeCbor, encodeCbor } from '../../codec/cbor.ts'
import { dataView } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { SortedSpool } from '../../repository/catalogue/sorted-spool.ts'
import { type Node, nodeFromCbor, nodeToCbor } from '../../snapshot/node.ts'
import { namesOfKey, pathKey } from './tar-paths.ts'

const PATH = 1
const LINKS = 2

export interface TarIndex {
  put(names: readonly Uint8Array[], node: Node): Promise<void>
  /** @throws {BackupError} CORRUPT - the target is not in the tar before the link */
  link(names: readonly Uint8Array[], target: readonly Uint8Array[], shown: Uint8Array): Promise<void>
  /** In the order of a walk through the tree, with the number of names that each file has. */
  entries(): AsyncGenerator<{ readonly names: readonly Uint8Array[]; readonly node: Node }, void, undefined>
}

export function createTarIndex(spool: SortedSpool): TarIndex {
  const linksKey = (inode: Node['inode']): Uint8Array => {
    const key = new Uint8Array(9)
    key[0] = LINKS
    dataView(key).setBigUint64(1, BigInt(inode))
    return key
  }
  const linksOf = (inode: Node['inode']): number => {
    const value = spool.get(linksKey(inode))
    return value === undefined ? 1 : dataView(value).getUint32(0)
  }
  const setLinks = async (inode: Node['inode'], links: number): Promise<void> => {
    const value = new Uint8Array(4)
    dataView(value).setUint32(0, links)
    await spool.put(linksKey(inode), value)
  }
  const nodeAt = (names: readonly Uint8Array[]): Node | undefined => {
    const value = spool.get(pathKey(PATH, names))
    return value === undefined ? undefined : nodeFromCbor(decodeCbor(value))
  }
  const put = async (names: readonly Uint8Array[], node: Node): Promise<void> => {
    const before = nodeAt(names)
    if (before !== undefined && linksOf(before.inode) > 1) await setLinks(before.inode, linksOf(before.inode) - 1)
    await spool.put(pathKey(PATH, names), encodeCbor(nodeToCbor(node)))
  }
  return {
    put,
    async link(names, target, shown) {
      const node = nodeAt(target)
      if (node === undefined || node.type === 'directory') throw new BackupError('CORRUPT', `the tar links to ${escapeBytes(shown)}, which is not among its files before the link; nothing was imported`)
      const name = names.at(-1)!
      if (pathKey(PATH, names).toString() === pathKey(PATH, target).toString()) return
      await setLinks(node.inode, linksOf(node.inode) + 1)
      await put(names, { ...node, name })
    },
    async *entries() {
      for await (const [key, value] of spool.rows(PATH)) {
        const node = nodeFromCbor(decodeCbor(value))
        const links = linksOf(node.inode)
        yield { names: namesOfKey(key), node: links > 1 ? { ...node, links, device: 0 } : node }
      }
    },
  }
}
