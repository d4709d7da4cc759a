/**
 * A snapshot's tree without what is lost. A folder below which nothing is lost keeps its list as it is;
 * of the others new lists are made, from the nodes that are whole. Each list is rebuilt once, whatever
 * number of snapshots and folders holds it, and what is lost below it is remembered with it.
 *
 * A list that no pack holds but that this machine has seen is stored again, so nothing of it is lost.
 */
import type { KeyedHash } from '../../crypto/hash.ts'
import { IdSet } from '../../util/id-set.ts'
import { compareBytes, concatBytes, equalBytes, toHex, utf8 } from '../../util/bytes.ts'
import { isBackupError, throwIfAborted } from '../../util/errors.ts'
import { type Content, contentBlobs } from '../../snapshot/content.ts'
import { createListBuilder, type ListBuilder } from '../../snapshot/list-builder.ts'
import type { Node } from '../../snapshot/node.ts'
import { joinPath } from '../../snapshot/source-paths.ts'
import { directoryShape, type TreeBlob } from '../../snapshot/tree-blob.ts'
import { requireKind, type TreeReader } from '../../snapshot/tree-reader.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'

export interface Missing {
  /** Below the folder, without a leading slash; empty for the folder itself. */
  readonly path: Uint8Array
  readonly message: string
  /** Of a file, its size; of a folder nobody knows what was in it. */
  readonly bytes?: number | undefined
}

export interface RebuiltList {
  readonly id: Uint8Array
  /** What is lost of it and below it; empty when it is as it was. */
  readonly missing: readonly Missing[]
  /** How much more than is named. */
  readonly more: number
}

export interface Rebuilder {
  directory(id: Uint8Array, signal?: AbortSignal): Promise<RebuiltList>
  /** Whether all of a file's content is there. */
  hasContent(content: Content): Promise<boolean>
}

export interface RebuildOptions {
  readonly trees: TreeReader
  readonly hash: KeyedHash
  /** Whether some pack gives the blob back. */
  readonly isGood: (id: Uint8Array) => boolean
  /** Stores a tree blob, if no pack holds it. */
  readonly save: (blob: Uint8Array) => Uint8Array
  /** Makes what was saved so far readable. */
  readonly settle: () => Promise<void>
}

/** Of one list so many lost files are named; a hostile tree can hold any number of paths. */
const NAMED_LIMIT = 10_000
const FILE_LOST = 'its content is lost'
const LIST_LOST = 'the list of what is in this folder, or a part of it, is lost'

export function createRebuilder({ trees, hash, isGood, save, settle }: RebuildOptions): Rebuilder {
  const shape = directoryShape(hash)
  const sound = new IdSet()
  const rebuilt = new Map<string, RebuiltList>()
  const contents = new Map<string, boolean>()

  /** undefined when it is lost. What no pack holds and this machine has seen is stored again. */
  const blobOf = async (id: Uint8Array, kind: TreeBlob['kind'], below: number): Promise<TreeBlob | undefined> => {
    try {
      const blob = await trees.blob(id)
      requireKind(blob, kind, below, id)
      return isGood(id) || equalBytes(save(await trees.bytes(id)), id) ? blob : undefined
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      return undefined
    }
  }

  async function* leaves(id: Uint8Array, onLost: () => void, below = Number.POSITIVE_INFINITY): AsyncGenerator<readonly Node[]> {
    const blob = await blobOf(id, 'directory', below)
    if (blob === undefined) return onLost()
    if ('nodes' in blob) yield blob.nodes
    else if (blob.kind === 'directory') for (const child of blob.children) yield* leaves(child.id, onLost, blob.level)
  }

  const replay = async (id: Uint8Array, count: number): Promise<ListBuilder<Node>> => {
    const builder = createListBuilder(shape, save)
    let left = count
    if (left === 0) return builder
    for await (const nodes of leaves(id, () => undefined)) {
      for (const node of nodes) if (left-- > 0) builder.add(node)
      if (left <= 0) break
    }
    return builder
  }

  const contentList = async (root: Uint8Array, below: number): Promise<boolean> => {
    const name = toHex(root)
    const known = contents.get(name)
    if (known !== undefined) return known
    const blob = await blobOf(root, 'content', below)
    let isWhole = blob !== undefined
    if (blob !== undefined && 'records' in blob) isWhole = hasAll(blob.records)
    else if (blob?.kind === 'content') for (const child of blob.children) isWhole &&= await contentList(child.id, blob.level)
    // What is whole is met again in every snapshot, and its name costs less in the other set.
    if (isWhole) sound.add(root)
    else contents.set(name, false)
    return isWhole
  }

  const hasAll = (records: Uint8Array): boolean => {
    for (const { id } of contentBlobs(records)) if (!isGood(id)) return false
    return true
  }

  const hasContent = async (content: Content): Promise<boolean> => {
    if (content.kind === 'inline') return hasAll(content.records)
    return sound.has(content.root) || contentList(content.root, Number.POSITIVE_INFINITY)
  }

  async function directory(id: Uint8Array, depth: number, signal: AbortSignal | undefined): Promise<RebuiltList> {
    if (sound.has(id)) return whole(id)
    const name = toHex(id)
    const known = rebuilt.get(name)
    if (known !== undefined) return known
    throwIfAborted(signal)
    const losses = gatherer()
    let builder: ListBuilder<Node> | undefined
    let [same, isListLost] = [0, false]
    let last: Uint8Array | undefined
    for await (const nodes of leaves(id, () => (isListLost = true))) {
      for (const node of nodes) {
        // Names must ascend over all the blobs of a list, or nobody could read what is made of it.
        const isInOrder = last === undefined || compareBytes(last, node.name) < 0
        const made = isInOrder ? await entry(node, depth, losses, signal) : undefined
        if (isInOrder) last = node.name
        if (builder === undefined && made === node) {
          same++
          continue
        }
        builder ??= await replay(id, same)
        if (made !== undefined) builder.add(made)
      }
    }
    if (isListLost) losses.add({ path: new Uint8Array(0), message: LIST_LOST })
    if (builder === undefined && !isListLost) {
      sound.add(id)
      return whole(id)
    }
    const result = { id: (builder ?? (await replay(id, same))).finish(), ...losses.all() }
    rebuilt.set(name, result)
    return result
  }

  /** The node itself when nothing of it is lost, another when something below it is, none when it is a lost file. */
  async function entry(node: Node, depth: number, losses: Gatherer, signal: AbortSignal | undefined): Promise<Node | undefined> {
    if (node.content !== undefined && !(await hasContent(node.content))) {
      losses.add({ path: node.name, message: FILE_LOST, bytes: node.size })
      return undefined
    }
    if (node.subtree === undefined) return node
    if (depth >= DEPTH_LIMIT) {
      losses.add({ path: node.name, message: LIST_LOST })
      return undefined
    }
    const below = await directory(node.subtree, depth + 1, signal)
    losses.addBelow(node.name, below)
    return equalBytes(below.id, node.subtree) ? node : { ...node, subtree: below.id }
  }

  return {
    hasContent,
    async directory(id, signal) {
      const made = await directory(id, 0, signal)
      await settle()
      return made
    },
  }
}

function whole(id: Uint8Array): RebuiltList {
  return { id, missing: [], more: 0 }
}

interface Gatherer {
  add(missing: Missing): void
  addBelow(name: Uint8Array, list: RebuiltList): void
  all(): Pick<RebuiltList, 'missing' | 'more'>
}

function gatherer(): Gatherer {
  const missing: Missing[] = []
  let more = 0
  const add = (item: Missing): void => {
    if (missing.length < NAMED_LIMIT) missing.push(item)
    else more++
  }
  return {
    add,
    addBelow(name, list) {
      for (const item of list.missing) add({ ...item, path: item.path.length === 0 ? name : joinPath(concatBytes(name, utf8('/')), item.path) })
      // A hostile tree can state more than a number holds.
      more = Math.min(Number.MAX_SAFE_INTEGER, more + list.more)
    },
    all: () => ({ missing, more }),
  }
}
