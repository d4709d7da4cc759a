/**
 * Trees that no snapshot refers to: directory lists that are in the index, that no snapshot, a
 * forgotten one included, reaches, and that no other such list names. A snapshot whose object was lost
 * leaves exactly one; a backup that was interrupted may leave some folders.
 *
 * A session may be removed only when its register exists. So where the session that wrote the tree is
 * gone and so is its register, there was a snapshot and the storage has lost it.
 */
import { IdSet } from '../../util/id-set.ts'
import { toHex } from '../../util/bytes.ts'
import { isBackupError, throwIfAborted } from '../../util/errors.ts'
import { type GcState, readGcState } from '../../repository/gc-state.ts'
import { loadIndex } from '../../repository/index-loader.ts'
import { listObjects } from '../../repository/objects.ts'
import type { Repository } from '../../repository/repository.ts'
import { contentsOutsideTree } from '../../snapshot/references.ts'
import { loadRegisters, type RegisterList } from '../../snapshot/registers.ts'
import type { TreeBlob } from '../../snapshot/tree-blob.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'

/**
 * What became of the session that wrote it: `lost`, its snapshot is gone; `damaged`, it cannot be read;
 * `open`, nobody knows yet; `fenced`, it never committed, or was a prune's or a repair's; `committed`,
 * its snapshot is another; `swept`, a prune has swept its snapshot.
 */
export type OrphanState = 'lost' | 'damaged' | 'open' | 'fenced' | 'committed' | 'swept'

export interface FoundOrphan {
  readonly tree: Uint8Array
  /** Of the session that wrote its pack. */
  readonly sid: string
  readonly state: OrphanState
}

export async function findOrphans(repository: Repository, trees: TreeReader, signal?: AbortSignal): Promise<FoundOrphan[]> {
  // Sessions before registers: one that is gone from the first list has its register in the second.
  const sessions = new Set((await listObjects(repository.backend, 'sessions', signal)).map(({ name }) => name))
  const gc = await readGcState(repository, signal, { afresh: true })
  const registers = await loadRegisters(repository, gc.swept, { signal, afresh: true })
  const { catalogue } = await loadIndex(repository, { signal, referring: gc })
  const reached = new IdSet()
  for (const snapshot of registers.snapshots.values()) await reach(trees, [snapshot.tree, ...contentsOutsideTree(snapshot).flatMap((content) => (content.kind === 'list' ? [content.root] : []))], reached, signal)

  const unreached = new IdSet()
  for await (const { id, locations } of catalogue.blobs()) if (locations[0]!.blobType === 'tree' && catalogue.has(id) && !reached.has(id)) unreached.add(id)
  const named = new IdSet()
  const folders = new IdSet()
  for (const id of unreached) {
    throwIfAborted(signal)
    const blob = await readable(trees, id)
    if (blob === undefined) continue
    for (const below of listsOf(blob)) named.add(below)
    if (blob.kind === 'directory' && !('nodes' in blob && blob.nodes.length === 0)) folders.add(id)
  }
  const found: FoundOrphan[] = []
  for (const tree of folders) {
    if (named.has(tree)) continue
    const { pack } = catalogue.locate(tree)[0]!
    const sid = toHex(pack.session)
    found.push({ tree, sid, state: stateOf(`${pack.group}/${sid}`, { sessions, registers, gc }) })
  }
  return found
}

interface Known {
  readonly sessions: ReadonlySet<string>
  readonly registers: RegisterList
  readonly gc: GcState
}

function stateOf(name: string, { sessions, registers, gc }: Known): OrphanState {
  if (gc.swept.has(name)) return 'swept'
  if (registers.problems.some((problem) => problem.name === name)) return 'damaged'
  if (registers.snapshots.has(name)) return 'committed'
  if (registers.listed.has(name)) return 'fenced'
  return sessions.has(name) ? 'open' : 'lost'
}

/** Adds all lists that hang on these; each is read once. */
async function reach(trees: TreeReader, roots: readonly Uint8Array[], reached: IdSet, signal: AbortSignal | undefined): Promise<void> {
  const waiting = roots.filter((id) => reached.add(id)).map((id) => id.slice())
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    throwIfAborted(signal)
    const blob = await readable(trees, id)
    for (const below of blob === undefined ? [] : listsOf(blob)) if (reached.add(below)) waiting.push(below.slice())
  }
}

async function readable(trees: TreeReader, id: Uint8Array): Promise<TreeBlob | undefined> {
  try {
    return await trees.blob(id)
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
    return undefined
  }
}

function* listsOf(blob: TreeBlob): Generator<Uint8Array> {
  if ('children' in blob) for (const { id } of blob.children) yield id
  if (!('nodes' in blob)) return
  for (const { subtree, content } of blob.nodes) {
    if (subtree !== undefined) yield subtree
    if (content?.kind === 'list') yield content.root
  }
}
