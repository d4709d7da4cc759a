/**
 * Snapshots of trees that no snapshot refers to. What was said of the lost one (host, times, tags) is
 * lost with it: the new one is of this host or of one that is named, its time is that of the newest
 * change in it, and it is tagged `recovered`. Files that are not whole are left out and named.
 */
import { keyedHash } from '../../crypto/hash.ts'
import { ZSTD_LEVEL_DEFAULT } from '../../codec/zstd.ts'
import { nowNs } from '../../util/clock.ts'
import { concatBytes, equalBytes, toHex, utf8 } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { programVersion } from '../../util/version-file.ts'
import { type BlobStore, openBlobStore } from '../../repository/blob-store.ts'
import type { Repository } from '../../repository/repository.ts'
import { saveTree } from '../../snapshot/archiver.ts'
import { createSkipLog } from '../../snapshot/skipped.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { joinPath } from '../../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { requireOwner } from '../owner.ts'
import { countTree, type TreeCount } from './count-tree.ts'
import { findOrphans, type FoundOrphan } from './find-orphans.ts'
import { inRepairSession, requireIndex } from './in-session.ts'
import { makeSnapshot, type UnchainedRecord } from './make-snapshot.ts'
import { createRebuilder, type RebuiltList } from './rebuild-tree.ts'
import type { RepairOptions } from './types.ts'

export interface RecoverOptions extends RepairOptions {
  /** Beginnings of ids of trees; those of lost and of damaged snapshots where none is named. */
  readonly trees?: readonly string[] | undefined
  /** Host of the new snapshots; that of the person by default. */
  readonly host?: string | undefined
}

export interface Orphan extends FoundOrphan {
  /** The folder that its only way leads down to: most likely what was backed up. */
  readonly path: Uint8Array
  /** undefined where there is more than can be counted. */
  readonly count: TreeCount | undefined
  /** Files and folders that are not whole. */
  readonly lost: number
  readonly isChosen: boolean
  /** The snapshot that was made of it, now or before. */
  readonly snapshotId: string | undefined
}

const TREE_BEGINNING = /^[0-9a-f]{8,64}$/
const ROOT = utf8('/')
export const RECOVERED_TAG = 'recovered'

/** @throws {BackupError} OWNER_NEEDED; REPAIR_REFUSED - the index is damaged; INVALID_ARGUMENT - a tree is named that is no orphan */
export async function recoverTrees(repository: Repository, options: RecoverOptions): Promise<readonly Orphan[]> {
  requireOwner(repository, 'make snapshots of what was found')
  await requireIndex(repository, options.signal)
  const found = await findAndCount(repository, options)
  if (options.apply !== true) return found
  const made: Orphan[] = []
  for (const orphan of found) made.push(orphan.isChosen && orphan.snapshotId === undefined ? { ...orphan, snapshotId: await makeOf(repository, orphan, options) } : orphan)
  return made
}

async function findAndCount(repository: Repository, options: RecoverOptions): Promise<Orphan[]> {
  const { signal } = options
  return inRepairSession(repository, { ...options, apply: false }, async (session, place) => {
    const trees = await openTreeReader(place)
    const orphans = await findOrphans(place, trees, signal)
    const isChosen = chooser(options.trees ?? [], orphans)
    await using store = await openBlobStore(place, session, { threads: 0, level: ZSTD_LEVEL_DEFAULT, verifyFraction: 0, dryRun: true, signal })
    const { snapshots, forgotten } = await loadSnapshots(place, { signal })
    const told: Orphan[] = []
    for (const orphan of orphans) {
      options.onEvent?.({ type: 'object', name: toHex(orphan.tree) })
      const rebuilt = await rebuild(place, trees, store, orphan, signal)
      const known = [...snapshots, ...forgotten].find(({ tree }) => equalBytes(tree, rebuilt.id))
      told.push({ ...orphan, path: await wayDown(trees, rebuilt.id), count: await countTree(trees, rebuilt.id, signal), lost: rebuilt.missing.length + rebuilt.more, isChosen: isChosen(orphan), snapshotId: known?.id })
    }
    return told.sort((a, b) => Number(b.isChosen) - Number(a.isChosen) || (b.count?.files ?? Infinity) - (a.count?.files ?? Infinity))
  })
}

function chooser(beginnings: readonly string[], orphans: readonly FoundOrphan[]): (orphan: FoundOrphan) => boolean {
  if (beginnings.length === 0) return ({ state }) => state === 'lost' || state === 'damaged'
  const wanted = beginnings.map((text) => text.toLowerCase())
  for (const text of wanted) {
    if (!TREE_BEGINNING.test(text)) throw new BackupError('INVALID_ARGUMENT', `a tree is named by its id, eight digits of it at least, not by "${text}"`)
    if (!orphans.some(({ tree }) => toHex(tree).startsWith(text))) throw new BackupError('INVALID_ARGUMENT', `no orphaned tree begins with "${text}"; "nacre recover" lists them`)
  }
  return ({ tree }) => wanted.some((text) => toHex(tree).startsWith(text))
}

async function rebuild(repository: Repository, trees: TreeReader, store: BlobStore, orphan: FoundOrphan, signal: AbortSignal | undefined): Promise<RebuiltList> {
  const { keyring } = repository
  const catalogue = await repository.catalogue()
  const rebuilder = createRebuilder({ trees, hash: keyedHash(keyring.blobId(keyring.group, 'tree')), isGood: (id) => catalogue.has(id), save: (blob) => saveTree(store, trees, blob), settle: () => catalogue.rows.flush() })
  return rebuilder.directory(orphan.tree, signal)
}

/** As long as there is one folder and nothing else. */
async function wayDown(trees: TreeReader, root: Uint8Array): Promise<Uint8Array> {
  let path: Uint8Array = ROOT
  for (let tree = root; ; ) {
    const blob = await trees.blob(tree)
    const only = 'nodes' in blob && blob.nodes.length === 1 ? blob.nodes[0]! : undefined
    if (only?.subtree === undefined) return path
    path = joinPath(path, only.name)
    tree = only.subtree
  }
}

async function makeOf(repository: Repository, orphan: Orphan, options: RecoverOptions): Promise<string> {
  const trees = await openTreeReader(repository)
  const { person, signal } = options
  return makeSnapshot(repository, options, async ({ store }): Promise<UnchainedRecord> => {
    const { id, missing, more } = await rebuild(repository, trees, store, orphan, signal)
    const skips = createSkipLog(store, (blob) => saveTree(store, trees, blob))
    for (const item of missing) skips.add({ path: concatBytes(ROOT, item.path), reason: 'lost', message: item.message })
    if (more > 0) skips.add({ path: ROOT, reason: 'lost', message: `and ${more} more` })
    const skipped = skips.finish()
    const { files: totalFiles, bytes: totalBytes } = orphan.count ?? { files: 0, bytes: 0 }
    const timeNs = timeOf(orphan)
    return {
      tree: id,
      paths: [orphan.path],
      host: options.host ?? person.host,
      user: person.user,
      tags: [RECOVERED_TAG],
      label: '',
      description: `recovered from tree ${toHex(orphan.tree).slice(0, 16)}; the time is that of the newest change in it`,
      startNs: timeNs,
      endNs: timeNs,
      zoneMinutes: 0,
      summary: { filesNew: totalFiles, filesChanged: 0, filesUnmodified: 0, totalFiles, totalBytes, dataAdded: store.added.plainBytes, dataAddedStored: store.added.storedBytes },
      skippedCount: skipped.count,
      skipped: skipped.first,
      skippedAll: skipped.all,
      program: programVersion(),
    }
  })
}

function timeOf({ count }: Orphan): bigint {
  const now = nowNs()
  return count?.newestNs === undefined || count.newestNs > now ? now : count.newestNs
}
