/**
 * What somebody who looks around in a repository reads of it: the way to a path, folders page by
 * page, and the beginnings of files. Everything is bounded, however large what is looked at.
 */
import { openBlobReader } from '../../repository/blob-reader.ts'
import type { Repository } from '../../repository/repository.ts'
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { splitPath } from '../../snapshot/source-paths.ts'
import { openTreeReader } from '../../snapshot/tree-reader.ts'
import { findPath, rootNode } from '../../snapshot/tree-walk.ts'
import { piecesOfRange } from '../mount/content-range.ts'
import { createTreeCache } from '../mount/tree-cache.ts'
import { findInPages, type FolderPage, type PageStart, readPage } from './folder-pages.ts'

export interface BrowseReader {
  /** @param list - a folder's `subtree` */
  page(list: Uint8Array, start: PageStart, count: number, signal?: AbortSignal): Promise<FolderPage>
  /** The nearest name that is wanted, in the direction of `start` and then from the other end on. */
  find(list: Uint8Array, start: PageStart, isWanted: (name: Uint8Array) => boolean, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * The nodes on the way to a path: the snapshot's root, which has no name, and one for each name of it.
   * @throws {BackupError} PATH_NOT_FOUND
   */
  way(snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array, signal?: AbortSignal): Promise<readonly Node[]>
  /** The first bytes of a file, so many at most. */
  beginning(file: Node, mostBytes: number, signal?: AbortSignal): Promise<Uint8Array>
}

/** Decoded lists that are kept: turning back is free. */
const LISTS_BYTES = 16 * 1024 * 1024

/** All of it throws {@link BackupError} BLOB_MISSING, CORRUPT, or what the storage says. */
export async function openBrowseReader(repository: Repository): Promise<BrowseReader> {
  const blobs = await openBlobReader(repository)
  const trees = await openTreeReader(repository, blobs)
  const lists = createTreeCache(trees, LISTS_BYTES)
  return {
    page: (list, start, count, signal) => readPage(lists, list, start, count, signal),
    find: (list, start, isWanted, signal) => findInPages(lists, list, start, isWanted, signal),
    async way({ tree }, path, signal) {
      // Says of a path that is not there how far it leads.
      await findPath(trees, tree, path)
      const nodes = [rootNode(tree)]
      for (const name of splitPath(path)) {
        throwIfAborted(signal)
        const list = nodes.at(-1)!.subtree
        const node = list === undefined ? undefined : await trees.find(list, name)
        if (node !== undefined) nodes.push(node)
      }
      return nodes
    },
    async beginning(file, mostBytes, signal) {
      const parts: Uint8Array[] = []
      for (const piece of await piecesOfRange(lists, file, 0, Math.min(file.size, mostBytes))) {
        throwIfAborted(signal)
        if (piece.kind === 'zeros') parts.push(new Uint8Array(piece.length))
        else {
          const blob = await blobs.load('data', piece.blob.id)
          if (blob.length !== piece.blob.length) throw new BackupError('CORRUPT', `${escapeBytes(file.name)} lists a blob with another length than it has`)
          parts.push(blob.slice(piece.from, piece.from + piece.length))
        }
      }
      return Buffer.concat(parts)
    },
  }
}
