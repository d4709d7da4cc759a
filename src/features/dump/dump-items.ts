/**
 * What a snapshot holds at a path as one stream: an entry, its bytes in order, its end, the next
 * entry. The walk and the reading run ahead of whoever takes the stream.
 */
import { mapOrdered } from '../../util/map-ordered.ts'
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Content } from '../../snapshot/content.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { findPath, normalPath, walkTree } from '../../snapshot/tree-walk.ts'
import { openRunReader, type Run, type RunReader } from './read-ahead.ts'

export interface DumpEntry {
  /** Relative to the folder that is dumped, without a slash at its end; empty for that folder itself. */
  readonly name: Uint8Array
  readonly node: Node
  /** A name that came before and is the same file. */
  readonly linkOf: Uint8Array | undefined
}

export type DumpItem =
  | { readonly kind: 'entry'; readonly entry: DumpEntry }
  /** Of the entry before. */
  | { readonly kind: 'data'; readonly bytes: readonly Uint8Array[] }
  | { readonly kind: 'end' }

/** Told of what the format has no place for. */
export type OnLeftOut = (name: Uint8Array, why: string) => void

export interface DumpItemsOptions {
  /** Whether holes of sparse files come as zeros; else only the bytes of their extents come. */
  readonly fillsHoles: boolean
  readonly signal?: AbortSignal | undefined
}

type Planned = Extract<DumpItem, { kind: 'entry' | 'end' }> | { readonly kind: 'run'; readonly run: Run } | { readonly kind: 'zeros'; readonly length: number }

/** Items on their way: most are small, and of the large ones each is a frame at most. */
const AHEAD = 16

/**
 * @param path - absolute in the snapshot; undefined is its root
 * @throws {BackupError} PATH_NOT_FOUND; BLOB_MISSING, CORRUPT - before any byte that is not what was stored
 */
export async function* dumpItems(repository: Repository, snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array | undefined, options: DumpItemsOptions): AsyncGenerator<DumpItem, void, undefined> {
  const trees = await openTreeReader(repository)
  const at = normalPath(path ?? new Uint8Array(0))
  const start = await findPath(trees, snapshot.tree, at)
  const reader = await openRunReader(repository, options.signal)
  const planned = plan(trees, reader, at, start, options)
  yield* mapOrdered(planned, { concurrency: AHEAD, signal: options.signal }, async (item): Promise<DumpItem> => {
    if (item.kind === 'run') return { kind: 'data', bytes: await reader.read(item.run) }
    if (item.kind === 'zeros') return { kind: 'data', bytes: [ZEROS.subarray(0, item.length)] }
    return item
  })
}

const ZEROS = new Uint8Array(1024 * 1024)
const NO_NAME = new Uint8Array(0)

async function* plan(trees: TreeReader, reader: RunReader, path: Uint8Array, start: Node, options: DumpItemsOptions): AsyncGenerator<Planned, void, undefined> {
  const links = createLinkTable()
  const entry = async function* (name: Uint8Array, node: Node): AsyncGenerator<Planned, void, undefined> {
    const linkOf = links.of(name, node)
    yield { kind: 'entry', entry: { name, node, linkOf } }
    if (node.type === 'file' && linkOf === undefined) yield* content(trees, reader, name, node, options.fillsHoles)
    yield { kind: 'end' }
  }
  if (start.type !== 'directory') return yield* entry(start.name, start)
  // Of the snapshot's root nothing is known.
  if (start.name.length > 0) yield* entry(NO_NAME, start)
  if (start.subtree === undefined) return
  const base = path.length === 1 ? 1 : path.length + 1
  for await (const { path: at, node } of walkTree(trees, start.subtree, { path, signal: options.signal })) yield* entry(at.subarray(base), node)
}

async function* content(trees: TreeReader, reader: RunReader, name: Uint8Array, node: Node, fillsHoles: boolean): AsyncGenerator<Planned, void, undefined> {
  const extents = node.extents ?? [{ offset: 0, length: node.size }]
  const wanted = extents.reduce((sum, { length }) => sum + length, 0)
  const blobs = node.content === undefined ? [] : runsOf(trees, reader, node.content)
  if (!fillsHoles || node.extents === undefined) {
    let length = 0
    for await (const run of blobs) {
      length += lengthOf(run)
      yield { kind: 'run', run }
    }
    requireLength(name, wanted, length)
    return
  }
  let position = 0
  let extent = 0
  let left = 0
  for await (const run of blobs) {
    // No blob holds bytes of two extents, but a run may.
    for (const blob of run.blobs) {
      while (left === 0) {
        const next = extents[extent++]
        if (next === undefined) return requireLength(name, wanted, wanted + blob.blob.length)
        yield* zeros(next.offset - position)
        position = next.offset
        left = next.length
      }
      if (blob.blob.length > left) return requireLength(name, left, blob.blob.length)
      yield { kind: 'run', run: { at: run.at, blobs: [blob] } }
      position += blob.blob.length
      left -= blob.blob.length
    }
  }
  requireLength(name, extent === extents.length && left === 0 ? wanted : -1, wanted)
  yield* zeros(node.size - position)
}

async function* runsOf(trees: TreeReader, reader: RunReader, content: Content): AsyncGenerator<Run, void, undefined> {
  for await (const blobs of trees.content(content)) yield* reader.runs(blobs)
}

function lengthOf(run: Run): number {
  return run.blobs.reduce((sum, { blob }) => sum + blob.length, 0)
}

function* zeros(length: number): Generator<Planned, void, undefined> {
  for (let left = length; left > 0; left -= ZEROS.length) yield { kind: 'zeros', length: Math.min(left, ZEROS.length) }
}

function requireLength(name: Uint8Array, stated: number, listed: number): void {
  if (stated !== listed) throw new BackupError('CORRUPT', `${escapeBytes(name)} is damaged: the snapshot states other lengths than it lists`)
}

interface LinkTable {
  of(name: Uint8Array, node: Node): Uint8Array | undefined
}

/** Names of files with several, kept until all of them have been met. */
function createLinkTable(): LinkTable {
  const first = new Map<string, { readonly name: Uint8Array; left: number }>()
  return {
    of(name, node) {
      if (node.links < 2 || node.type === 'directory') return undefined
      const key = `${node.device ?? 0}:${node.inode}`
      const known = first.get(key)
      if (known === undefined) {
        first.set(key, { name, left: node.links - 1 })
        return undefined
      }
      known.left--
      if (known.left === 0) first.delete(key)
      return known.name
    },
  }
}
