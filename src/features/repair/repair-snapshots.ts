/**
 * New snapshots in place of those of which something is lost: the same without the lost files, which
 * stand in the new one's list of what was skipped. The new one names the old one, and the old one stays
 * as it is until somebody asks to forget it.
 */
import { keyedHash } from '../../crypto/hash.ts'
import { ZSTD_LEVEL_DEFAULT } from '../../codec/zstd.ts'
import { concatBytes, equalBytes, utf8 } from '../../util/bytes.ts'
import { throwIfAborted } from '../../util/errors.ts'
import { programVersion } from '../../util/version-file.ts'
import { type BlobStore, openBlobStore } from '../../repository/blob-store.ts'
import type { Repository } from '../../repository/repository.ts'
import { saveTree } from '../../snapshot/archiver.ts'
import { contentsOutsideTree } from '../../snapshot/references.ts'
import { createSkipLog, loadSkipped } from '../../snapshot/skipped.ts'
import type { Snapshot, SnapshotSummary } from '../../snapshot/snapshot.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { forgetSnapshots } from '../forget.ts'
import { changeMarks } from '../marks.ts'
import { requireOwner } from '../owner.ts'
import { countTree } from './count-tree.ts'
import { inRepairSession, requireIndex } from './in-session.ts'
import { makeSnapshot, type UnchainedRecord } from './make-snapshot.ts'
import { createRebuilder, type Missing, type Rebuilder } from './rebuild-tree.ts'
import type { RepairOptions } from './types.ts'

export interface SnapshotsOptions extends RepairOptions {
  /** Those that are looked at; all that are not forgotten where none is named. */
  readonly snapshots?: readonly Snapshot[] | undefined
  /** Forget each snapshot that was repaired, or of which nothing is left. */
  readonly forget?: boolean | undefined
}

export interface RepairedSnapshot {
  readonly snapshot: Snapshot
  /** What is lost, by absolute paths. */
  readonly missing: readonly Missing[]
  /** How much more than is named. */
  readonly more: number
  /** `gone`: nothing of it is left to be saved; `done`: an earlier repair has made the new one. */
  readonly outcome: 'planned' | 'repaired' | 'done' | 'gone'
  /** Id of the one that takes its place. */
  readonly repairedAs: string | undefined
}

export interface SnapshotsRepair {
  readonly looked: number
  readonly repaired: readonly RepairedSnapshot[]
  /** Names `<group>/<sid>` that were forgotten. */
  readonly forgotten: readonly string[]
}

const LOST = 'lost'
const SLASH = utf8('/')

/** @throws {BackupError} OWNER_NEEDED; REPAIR_REFUSED - the index is damaged; SESSION_FENCED */
export async function repairSnapshots(repository: Repository, options: SnapshotsOptions): Promise<SnapshotsRepair> {
  requireOwner(repository, 'repair snapshots')
  const { signal } = options
  await requireIndex(repository, signal)
  const list = await loadSnapshots(repository, { signal })
  // Blobs of a writer's group have other ids: only that group's snapshots can refer to them.
  const wanted = (options.snapshots ?? list.snapshots).filter((snapshot) => snapshot.group === repository.keyring.group)
  const found = await findSuffering(repository, wanted, [...list.snapshots, ...list.forgotten], options)
  if (options.apply !== true) return { looked: wanted.length, repaired: found, forgotten: [] }
  const repaired: RepairedSnapshot[] = []
  const mender = await createMender(repository, options)
  for (const item of found) {
    throwIfAborted(signal)
    repaired.push(item.outcome === 'planned' ? { ...item, outcome: 'repaired', repairedAs: await mender(item.snapshot) } : item)
  }
  const forgotten = options.forget === true ? await forgetSnapshots(repository, repaired.map(({ snapshot }) => `${snapshot.group}/${snapshot.id}`), { person: options.person, signal }) : { forgotten: [] }
  return { looked: wanted.length, repaired, forgotten: forgotten.forgotten }
}

/** Those of which something is lost; nothing is written. */
async function findSuffering(repository: Repository, wanted: readonly Snapshot[], all: readonly Snapshot[], options: SnapshotsOptions): Promise<RepairedSnapshot[]> {
  return inRepairSession(repository, { ...options, apply: false }, async (session, place) => {
    await using store = await openBlobStore(place, session, { threads: 0, level: ZSTD_LEVEL_DEFAULT, verifyFraction: 0, dryRun: true, signal: options.signal })
    const trees = await openTreeReader(place)
    const rebuilder = await rebuilderOf(place, trees, store)
    const found: RepairedSnapshot[] = []
    for (const snapshot of wanted) {
      const { id, missing, more, isWhole } = await rebuild(rebuilder, snapshot, options.signal)
      options.onEvent?.({ type: 'object', name: `snapshots/${snapshot.group}/${snapshot.id}` })
      if (isWhole) continue
      const before = all.find((other) => other.repairedFrom === snapshot.id && equalBytes(other.tree, id))
      const outcome = before !== undefined ? 'done' : (await isEmpty(trees, id)) ? 'gone' : 'planned'
      found.push({ snapshot, missing, more, outcome, repairedAs: before?.id })
    }
    return found
  })
}

async function rebuilderOf(repository: Repository, trees: TreeReader, store: BlobStore): Promise<Rebuilder> {
  const { keyring } = repository
  const catalogue = await repository.catalogue()
  return createRebuilder({ trees, hash: keyedHash(keyring.blobId(keyring.group, 'tree')), isGood: (id) => catalogue.has(id), save: (blob) => saveTree(store, trees, blob), settle: () => catalogue.rows.flush() })
}

interface RebuiltSnapshot {
  readonly id: Uint8Array
  readonly missing: readonly Missing[]
  readonly more: number
  readonly isWhole: boolean
  readonly hasSkipped: boolean
}

async function rebuild(rebuilder: Rebuilder, snapshot: Snapshot, signal: AbortSignal | undefined): Promise<RebuiltSnapshot> {
  const tree = await rebuilder.directory(snapshot.tree, signal)
  const missing = tree.missing.map((item) => ({ ...item, path: concatBytes(SLASH, item.path) }))
  let hasSkipped = true
  for (const content of contentsOutsideTree(snapshot)) hasSkipped &&= await rebuilder.hasContent(content)
  if (!hasSkipped) missing.push({ path: SLASH, message: 'the list of all files that the backup skipped is lost; the first of them are still named' })
  return { id: tree.id, missing, more: tree.more, isWhole: missing.length === 0 && equalBytes(tree.id, snapshot.tree), hasSkipped }
}

async function isEmpty(trees: TreeReader, tree: Uint8Array): Promise<boolean> {
  const blob = await trees.blob(tree)
  return 'nodes' in blob && blob.nodes.length === 0
}

/** Makes new snapshots one after another, and goes on with what it knows of lists as long as it holds. */
async function createMender(repository: Repository, options: SnapshotsOptions): Promise<(snapshot: Snapshot) => Promise<string>> {
  const trees = await openTreeReader(repository)
  let store: BlobStore
  let rebuilder: Rebuilder | undefined
  let known: ReadonlySet<string> = new Set()
  return async (snapshot) => {
    const id = await makeSnapshot(repository, options, async (making) => {
      store = making.store
      const isSame = known.size === making.condemned.size && [...known].every((pack) => making.condemned.has(pack))
      known = making.condemned
      if (making.isAnew || !isSame || rebuilder === undefined) rebuilder = await rebuilderOf(repository, trees, { ...making.store, saveTree: (bytes) => store.saveTree(bytes) })
      return recordOf(repository, snapshot, await rebuild(rebuilder, snapshot, options.signal), { store, trees, signal: options.signal })
    })
    if (snapshot.pin === 'forever') await pinAsBefore(repository, id, options)
    return id
  }
}

async function pinAsBefore(repository: Repository, id: string, { person, signal }: SnapshotsOptions): Promise<void> {
  const made = (await loadSnapshots(repository, { signal })).snapshots.find((snapshot) => snapshot.id === id)
  if (made !== undefined) await changeMarks(repository, made, { pin: 'forever' }, { person, signal })
}

interface Tools {
  readonly store: BlobStore
  readonly trees: TreeReader
  readonly signal: AbortSignal | undefined
}

async function recordOf(repository: Repository, snapshot: Snapshot, rebuilt: RebuiltSnapshot, { store, trees, signal }: Tools): Promise<UnchainedRecord> {
  const skips = createSkipLog(store, (blob) => saveTree(store, trees, blob))
  const before = rebuilt.hasSkipped ? snapshot : { ...snapshot, skippedAll: undefined }
  for await (const skipped of loadSkipped(repository, before, { signal })) skips.add(skipped)
  for (const { path, message } of rebuilt.missing) skips.add({ path, reason: LOST, message })
  if (rebuilt.more > 0) skips.add({ path: SLASH, reason: LOST, message: `and ${rebuilt.more} more` })
  const skipped = skips.finish()
  const { pin } = snapshot
  return {
    tree: rebuilt.id,
    paths: snapshot.paths,
    host: snapshot.host,
    user: snapshot.user,
    tags: snapshot.tags,
    label: snapshot.label,
    description: snapshot.description,
    // Where both stand side by side, `latest` is to be the one that can be restored.
    startNs: snapshot.startNs + 1n,
    endNs: snapshot.endNs,
    zoneMinutes: snapshot.zoneMinutes,
    parent: snapshot.id,
    summary: await summaryOf(snapshot, rebuilt, { store, trees, signal }),
    skippedCount: skipped.count,
    skipped: skipped.first,
    skippedAll: skipped.all,
    program: programVersion(),
    keepUntilNs: typeof pin === 'bigint' ? pin : undefined,
    repairedFrom: snapshot.id,
  }
}

/** What is left is counted where it is not known how much is lost. */
async function summaryOf(snapshot: Snapshot, { id, missing, more }: RebuiltSnapshot, { store, trees, signal }: Tools): Promise<SnapshotSummary> {
  let { totalFiles, totalBytes } = snapshot.summary
  const isKnown = more === 0 && missing.every(({ bytes }) => bytes !== undefined)
  for (const { bytes } of missing) {
    if (bytes === undefined) continue
    totalFiles = Math.max(0, totalFiles - 1)
    totalBytes = Math.max(0, totalBytes - bytes)
  }
  const counted = isKnown ? undefined : await countTree(trees, id, signal)
  if (counted !== undefined) {
    totalFiles = counted.files
    totalBytes = counted.bytes
  }
  return { filesNew: 0, filesChanged: 0, filesUnmodified: totalFiles, totalFiles, totalBytes, dataAdded: store.added.plainBytes, dataAddedStored: store.added.storedBytes }
}

