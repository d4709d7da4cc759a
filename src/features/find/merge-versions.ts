/**
 * One folder as several snapshots have it: its lists are read side by side in byte order of the
 * names, each distinct blob once, and what is wanted of them comes out name by name, with the lists
 * that hold each version. So a walk over a hundred snapshots reads what differs between them, and
 * holds one blob of a list and level for each version of the folders that it is in.
 */
import { toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { Lru } from '../../util/lru.ts'
import { scanDirectory, type ScannedNode } from '../../snapshot/tree-scan.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'
import { createFrontier, type Frontier, type Head } from '../list-frontier.ts'

/** Names as latin1, which sorts as the bytes do and compares faster. */
type ScanHead = Head<string, ScannedNode>

export interface NameVersions {
  readonly name: Uint8Array
  /** Which of the lists hold the name, and the node in each. */
  readonly held: readonly { readonly list: number; readonly node: ScannedNode }[]
}

/** Blobs that lists share are scanned once while the lists go through them. */
const SHARED_NODES = 4096

export async function* mergeVersions(trees: TreeReader, lists: readonly Uint8Array[], wants: (key: string, isDirectory: boolean) => boolean): AsyncGenerator<readonly NameVersions[], void, undefined> {
  const shared = new Lru<string, readonly ScanHead[]>(SHARED_NODES, (heads) => heads.length + 1)
  const load = async (id: Uint8Array, below: number): Promise<readonly ScanHead[]> => {
    const key = toHex(id)
    const known = lists.length > 1 ? shared.get(key) : undefined
    if (known !== undefined) return known
    const list = scanDirectory(await trees.bytes(id), wants)
    if (list.level >= below) throw new BackupError('CORRUPT', `tree blob ${key.slice(0, 16)} stands where it cannot`)
    const heads: ScanHead[] = 'nodes' in list
      ? list.nodes.map((node) => ({ name: node.key, item: node, level: -1 }))
      : list.children.map((child) => ({ name: latin1(child.firstName), id: child.id, level: list.level }))
    shared.set(key, heads)
    return heads
  }
  const frontiers = lists.map((root) => createFrontier<string, ScannedNode>({ root, noName: '', load, compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0) }))
  let found: NameVersions[] = []
  for (;;) {
    const least = leastName(frontiers)
    if (least === undefined) break
    const at = frontiers.filter((frontier) => frontier.head()?.name === least)
    const unread = at.filter((frontier) => frontier.head()!.item === undefined)
    if (unread.length > 0) {
      if (found.length > 0) yield found
      found = []
      for (const frontier of unread) await frontier.open()
      continue
    }
    const held: { list: number; node: ScannedNode }[] = []
    for (const [list, frontier] of frontiers.entries()) {
      const head = frontier.head()
      if (head?.name !== least) continue
      held.push({ list, node: head.item! })
      frontier.skip()
    }
    found.push({ name: held[0]!.node.name, held })
  }
  if (found.length > 0) yield found
}

function leastName(frontiers: readonly Frontier<string, ScannedNode>[]): string | undefined {
  let least: string | undefined
  for (const frontier of frontiers) {
    const name = frontier.head()?.name
    if (name !== undefined && (least === undefined || name < least)) least = name
  }
  return least
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
