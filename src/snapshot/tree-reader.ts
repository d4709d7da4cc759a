/**
 * Reading trees: blobs come from the catalogue where they have been seen before, so that looking
 * at snapshots asks the repository for nothing, and are kept there when they come from packs.
 */
import { seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { compareBytes, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { type BlobReader, openBlobReader } from '../repository/blob-reader.ts'
import { readSealedRow } from '../repository/catalogue/sealed-row.ts'
import type { Repository } from '../repository/repository.ts'
import { type Content, type ContentBlob, contentBlobs } from './content.ts'
import type { Node } from './node.ts'
import { decodeTreeBlob, type TreeBlob } from './tree-blob.ts'
import { NodeScanner } from './node-scanner.ts'
import { openList, scanDirectory, type ScannedList } from './tree-scan.ts'

export interface TreeReader {
  /** @throws {BackupError} BLOB_MISSING, CORRUPT */
  blob(id: Uint8Array): Promise<TreeBlob>
  /** As `blob`, encoded: for those who look at few of its entries. */
  bytes(id: Uint8Array): Promise<Uint8Array>
  /** A directory's nodes in byte order of their names. */
  nodes(root: Uint8Array): AsyncGenerator<readonly Node[]>
  /** The same for who needs few of them: scanners before the first node of each blob of the list. */
  scanners(root: Uint8Array): AsyncGenerator<NodeScanner>
  /** The node of that name, reading one path of the list. */
  find(root: Uint8Array, name: Uint8Array): Promise<Node | undefined>
  /** Stretches of a file's blobs, in order. */
  content(content: Content): AsyncGenerator<readonly ContentBlob[]>
  /** Remembers a tree blob that was just made. */
  remember(id: Uint8Array, bytes: Uint8Array): void
}

/** @param blobs - what blobs that the catalogue has not are read by; by default one of its own */
export async function openTreeReader(repository: Repository, blobs?: Pick<BlobReader, 'load'>): Promise<TreeReader> {
  const { keyring } = repository
  const catalogue = await repository.catalogue()
  // Cached blobs are sealed anew: the cache tells no more than the repository does.
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue')
  let reader = blobs

  const cached = (id: Uint8Array): Uint8Array | undefined => readSealedRow(key, id, catalogue.rows.get('tree', id), (bytes) => bytes)

  const remember = (id: Uint8Array, bytes: Uint8Array): void => catalogue.rows.put('tree', id, seal(key, bytes, id))

  const bytesOf = async (id: Uint8Array): Promise<Uint8Array> => {
    const known = cached(id)
    if (known !== undefined) return known
    reader ??= await openBlobReader(repository)
    const bytes = await reader.load('tree', id)
    remember(id, bytes)
    return bytes
  }

  const blob = async (id: Uint8Array): Promise<TreeBlob> => decodeTreeBlob(await bytesOf(id))

  async function* nodes(id: Uint8Array, order: Order, below = Number.POSITIVE_INFINITY): AsyncGenerator<readonly Node[]> {
    const tree = await blob(id)
    requireKind(tree, 'directory', below, id)
    if ('nodes' in tree) {
      if (tree.nodes.length > 0) order(tree.nodes[0]!.name, tree.nodes.at(-1)!.name, id)
      yield tree.nodes
    } else if (tree.kind === 'directory') for (const child of tree.children) yield* nodes(child.id, order, tree.level)
  }

  async function* scanners(id: Uint8Array, order: Order, below = Number.POSITIVE_INFINITY): AsyncGenerator<NodeScanner> {
    const list = openList(await bytesOf(id))
    requireLevel(list.level, below, id)
    if ('scanner' in list) return yield new NodeScanner(list.scanner, list.count)
    for (const child of list.children) {
      // Leaves are not decoded here, so what their parent says they begin with is what is looked at.
      if (list.level === 1) order(child.firstName, child.firstName, id)
      yield* scanners(child.id, order, list.level)
    }
  }

  async function* contentLists(id: Uint8Array, below = Number.POSITIVE_INFINITY): AsyncGenerator<readonly ContentBlob[]> {
    const tree = await blob(id)
    requireKind(tree, 'content', below, id)
    if ('records' in tree) yield [...contentBlobs(tree.records)]
    else if (tree.kind === 'content') for (const child of tree.children) yield* contentLists(child.id, tree.level)
  }

  return {
    blob,
    bytes: bytesOf,
    remember,
    nodes: (root) => nodes(root, ascending()),
    scanners: (root) => scanners(root, ascending()),
    async find(root, name) {
      let id: Uint8Array | undefined = root
      let below = Number.POSITIVE_INFINITY
      const key = Buffer.from(name).toString('latin1')
      while (id !== undefined) {
        const list: ScannedList = scanDirectory(await bytesOf(id), (own) => own === key)
        requireLevel(list.level, below, id)
        if ('nodes' in list) return list.nodes[0]?.decode()
        below = list.level
        id = list.children.findLast((child) => compareBytes(child.firstName, name) <= 0)?.id
      }
      return undefined
    },
    async *content(content) {
      if (content.kind === 'inline') yield [...contentBlobs(content.records)]
      else yield* contentLists(content.root)
    },
  }
}

type Order = (first: Uint8Array, last: Uint8Array, id: Uint8Array) => void

/** Names must ascend over all blobs of a list: one that repeats a blob, and a hostile one could for ever, ends there. */
function ascending(): Order {
  let before: Uint8Array | undefined
  return (first, last, id) => {
    if (before !== undefined && compareBytes(before, first) >= 0) throw new BackupError('CORRUPT', `the list of tree blob ${toHex(id).slice(0, 16)} has names that are out of order or twice there`)
    before = last
  }
}

/** Levels fall strictly, so that no list, however hostile, contains itself. */
export function requireKind(tree: TreeBlob, kind: TreeBlob['kind'], below: number, id: Uint8Array): void {
  if (tree.kind !== kind) throw new BackupError('CORRUPT', `tree blob ${toHex(id).slice(0, 16)} is a list of another kind`)
  requireLevel(tree.level, below, id)
}

function requireLevel(level: number, below: number, id: Uint8Array): void {
  if (level >= below) throw new BackupError('CORRUPT', `tree blob ${toHex(id).slice(0, 16)} stands at a wrong level`)
}
