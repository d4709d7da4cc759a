/**
 * Walking every snapshot to blobs that are there. A list that was found sound is not walked again,
 * whichever snapshot it is met in. One that suffers is, so that each snapshot's files are named, but
 * only until so many have been: then a list that is known to suffer is passed over, but for one path
 * of each snapshot. So neither many snapshots nor a tree that holds the same folder a thousandfold
 * takes long or fills the memory. What a snapshot needs outside of its tree is walked like the content
 * of a file.
 */
import { monotonicMs } from '../util/clock.ts'
import { IdSet } from '../util/id-set.ts'
import { toHex } from '../util/bytes.ts'
import { BackupError, isBackupError, throwIfAborted } from '../util/errors.ts'
import { type Content, CONTENT_RECORD_BYTES, contentBlobs } from '../snapshot/content.ts'
import { NodeScanner } from '../snapshot/node-scanner.ts'
import type { Node } from '../snapshot/node.ts'
import { contentsOutsideTree } from '../snapshot/references.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { joinPath } from '../snapshot/source-paths.ts'
import { decodeTreeBlob } from '../snapshot/tree-blob.ts'
import type { TreeReader } from '../snapshot/tree-reader.ts'
import { openTree } from '../snapshot/tree-scan.ts'
import { DEPTH_LIMIT } from '../snapshot/tree-walk.ts'
import type { Sufferer } from './finding.ts'

export interface SnapshotTrouble extends Sufferer {
  /** The blob that is missing or does not open. A view. */
  readonly blobId: Uint8Array
  readonly message: string
}

export interface WalkOptions {
  /** Whether some pack gives the blob back. */
  readonly isGood: (blobId: Uint8Array) => boolean
  /** Blobs that are good, as far as it is known beforehand. Added to. */
  readonly known?: IdSet | undefined
  /** Decode every node, and not only what of it names blobs. */
  readonly isStrict?: boolean | undefined
  readonly onTrouble: (trouble: SnapshotTrouble) => void
  readonly signal?: AbortSignal | undefined
}

/** So many paths are named before lists that are known to suffer are passed over. */
export const NAMED_LIMIT = 20_000
/** Data blobs that are known to be there, so that snapshots that share them do not ask again: 50 MB. */
const KNOWN_LIMIT = 1_000_000
const ROOT = Buffer.from('/')
const TURN_MS = 5
const ID_BYTES = 32

/** Where the walk is. */
interface Place {
  readonly snapshotId: string
  readonly path: Uint8Array
  readonly depth: number
  readonly part?: 'skipped' | undefined
}

type Kind = 'directory' | 'content'

export async function walkSnapshots(trees: TreeReader, snapshots: readonly Snapshot[], options: WalkOptions): Promise<void> {
  /** Roots of lists, of folders and of contents, below which all is well. */
  const sound = new IdSet()
  /** Those that suffer, and one blob that they suffer for. */
  const suffering = new Map<string, Uint8Array>()
  const known = options.known ?? new IdSet()
  const namedSnapshots = new Set<string>()
  let named = 0
  let turnBegan = monotonicMs()

  const tell = ({ snapshotId, path, part }: Place, blobId: Uint8Array, message: string): Uint8Array => {
    named++
    namedSnapshots.add(snapshotId)
    options.onTrouble(part === undefined ? { snapshotId, path, blobId, message } : { snapshotId, path, part, blobId, message })
    return blobId
  }

  const isGoodData = (records: Uint8Array, at: number): boolean => {
    if (known.has(records, at)) return true
    if (!options.isGood(records.subarray(at, at + ID_BYTES))) return false
    if (known.size < KNOWN_LIMIT) known.add(records, at)
    return true
  }

  const areGood = (records: Uint8Array): boolean => {
    for (let at = 0; at + ID_BYTES <= records.length; at += CONTENT_RECORD_BYTES) if (!isGoodData(records, at)) return false
    return true
  }

  const isQuicklySound = ({ subtree, content }: Pick<Node, 'subtree' | 'content'>): boolean => {
    if (subtree !== undefined && !sound.has(subtree)) return false
    if (content === undefined) return true
    return content.kind === 'list' ? sound.has(content.root) : areGood(content.records)
  }

  /** The last blob that is missing or damaged, or undefined where all is well. */
  const data = (records: Uint8Array, place: Place): Uint8Array | undefined => {
    let bad: Uint8Array | undefined
    for (const { id } of contentBlobs(records)) if (!options.isGood(id)) bad = tell(place, id, 'a data blob is missing or damaged')
    return bad
  }

  const content = async (of: Content, place: Place): Promise<Uint8Array | undefined> => (of.kind === 'list' ? list(of.root, 'content', place) : data(of.records, place))

  const entry = async (node: Node, at: Place): Promise<Uint8Array | undefined> => {
    const place = { ...at, path: joinPath(at.path, node.name), depth: at.depth + 1 }
    let bad: Uint8Array | undefined
    if (node.subtree !== undefined) {
      bad = place.depth > DEPTH_LIMIT ? tell(place, node.subtree, `the tree is deeper than ${DEPTH_LIMIT} folders`) : await list(node.subtree, 'directory', place)
    }
    return (node.content === undefined ? undefined : await content(node.content, place)) ?? bad
  }

  const list = async (id: Uint8Array, kind: Kind, place: Place, below = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> => {
    if (sound.has(id)) return undefined
    const before = suffering.get(toHex(id))
    if (before !== undefined && named >= NAMED_LIMIT) return namedSnapshots.has(place.snapshotId) ? before : tell(place, before, 'a blob is missing or damaged')
    throwIfAborted(options.signal)
    // Trees come from the local catalogue without a pause; packs that are read beside must have their turn.
    if (monotonicMs() - turnBegan > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve))
      turnBegan = monotonicMs()
    }
    let bad = options.isGood(id) ? undefined : tell(place, id, 'a tree blob is missing or damaged')
    try {
      bad = (await inside(id, kind, place, below)) ?? bad
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      bad ??= tell(place, id, error.message)
    }
    if (bad === undefined) sound.add(id)
    else if (before === undefined) suffering.set(toHex(id), bad.slice())
    return bad
  }

  /** What a list holds. @throws {BackupError} CORRUPT, BLOB_MISSING - it cannot be read */
  const inside = async (id: Uint8Array, kind: Kind, place: Place, below: number): Promise<Uint8Array | undefined> => {
    const bytes = await trees.bytes(id)
    if (options.isStrict === true) decodeTreeBlob(bytes)
    const tree = openTree(bytes)
    if (('kind' in tree ? tree.kind : 'directory') !== kind || tree.level >= below) throw new BackupError('CORRUPT', `tree blob ${toHex(id).slice(0, 16)} stands where it cannot`)
    if ('records' in tree) return areGood(tree.records) ? undefined : data(tree.records, place)
    let bad: Uint8Array | undefined
    if ('children' in tree) {
      for (const child of tree.children) bad = (await list(child.id, kind, place, tree.level)) ?? bad
      return bad
    }
    for (const node = new NodeScanner(tree.scanner, tree.count); node.next(); ) {
      // Most are files with a few blobs, and sound: only what is not is decoded.
      if (!isQuicklySound(node)) bad = (await entry(node.decode(), place)) ?? bad
    }
    return bad
  }

  for (const snapshot of snapshots) {
    const root: Place = { snapshotId: snapshot.id, path: ROOT, depth: 0 }
    await list(snapshot.tree, 'directory', root)
    for (const outside of contentsOutsideTree(snapshot)) await content(outside, { ...root, part: 'skipped' })
  }
}
