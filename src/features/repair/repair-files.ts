/**
 * Blobs that snapshots need and no pack holds, made again from the files that they came from. Source
 * files are read and cut as a backup does it; what turns out to have the id of a lost blob is stored,
 * and nothing else. So a file that has changed since gives back what of it is still the same, and
 * nothing that is not what the snapshot holds can ever take its place.
 */
import { keyedHash } from '../../crypto/hash.ts'
import type { IdSet } from '../../util/id-set.ts'
import { equalBytes } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { AT_FDCWD, statAtIfPresent } from '../../util/posix/stat.ts'
import { ZSTD_LEVEL_DEFAULT } from '../../codec/zstd.ts'
import { type BlobStore, openBlobStore } from '../../repository/blob-store.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Session } from '../../repository/session.ts'
import { archive } from '../../snapshot/archiver.ts'
import { ownFolders } from '../../snapshot/backup.ts'
import { createFilter } from '../../snapshot/filter.ts'
import { absolutePath } from '../../snapshot/select.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { branchesOf } from '../../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import type { Sufferer } from '../finding.ts'
import { requireOwner } from '../owner.ts'
import { inRepairSession, requireIndex } from './in-session.ts'
import { collectLosses, type Loss, sufferersOf } from './lost-blobs.ts'
import { chooseReads } from './source-reads.ts'
import type { RepairOptions } from './types.ts'

export interface FilesOptions extends RepairOptions {
  /** Files and folders that are read; absolute, or from the working folder. */
  readonly from: readonly (string | Uint8Array)[]
}

export interface FilesRepair {
  /** Blobs that snapshots need and no pack holds. */
  readonly lostBefore: number
  /** Those that were found again. */
  readonly healed: number
  readonly healedBytes: number
  /** What remains lost; of a plan, without what would come to light when lists are found again. */
  readonly lost: number
  /** What of snapshots still lacks something; of a plan, what lacks something now. */
  readonly suffers: readonly Sufferer[]
  readonly filesRead: number
  readonly bytesRead: number
  /** Paths that were to be read and are not there or cannot be read. */
  readonly problems: readonly { readonly path: Uint8Array; readonly message: string }[]
}

/** Lists that are found again show what below them is lost: so it goes on as long as something is found. */
const ROUNDS = 64

/** @throws {BackupError} OWNER_NEEDED; REPAIR_REFUSED - the index is damaged; SOURCE_NOT_FOUND */
export async function repairFiles(repository: Repository, options: FilesOptions): Promise<FilesRepair> {
  requireOwner(repository, 'repair files')
  const { signal } = options
  await requireIndex(repository, signal)
  const from = options.from.map(absolutePath)
  return inRepairSession(repository, options, async (session, place) => {
    const { snapshots } = await loadSnapshots(place, { gc: session.gc, signal })
    const isDry = options.apply !== true
    const problems = new Map<string, { path: Uint8Array; message: string }>()
    const sums = { healed: 0, healedBytes: 0, filesRead: 0, bytesRead: 0 }
    const trees = await openTreeReader(place)
    const catalogue = await place.catalogue()
    const look = (): ReturnType<typeof collectLosses> => collectLosses(trees, snapshots, (id) => catalogue.has(id), signal)
    let found = await look()
    const lostBefore = found.ids.size
    for (let round = 0; round < ROUNDS && found.ids.size > 0; round++) {
      const healed = await heal({ repository: place, session, trees, options, from, problems, sums, isDry }, found)
      if (healed === 0 || isDry) break
      found = await look()
    }
    return { lostBefore, ...sums, lost: found.ids.size, suffers: sufferersOf(found.losses), problems: [...problems.values()] }
  })
}

interface Healing {
  readonly repository: Repository
  readonly session: Session
  readonly trees: TreeReader
  readonly options: FilesOptions
  readonly from: readonly Uint8Array[]
  readonly problems: Map<string, { path: Uint8Array; message: string }>
  readonly sums: { healed: number; healedBytes: number; filesRead: number; bytesRead: number }
  readonly isDry: boolean
}

/** One look at the sources. How many blobs it found. */
async function heal(healing: Healing, { ids, losses }: { readonly ids: IdSet; readonly losses: readonly Loss[] }): Promise<number> {
  const { repository, session, trees, options, sums, isDry } = healing
  const { signal } = options
  await using store = await openBlobStore(repository, session, {
    threads: options.threads,
    level: ZSTD_LEVEL_DEFAULT,
    verifyFraction: 1,
    dryRun: isDry,
    // Each is stored once, by whoever meets it first.
    wants: (id) => ids.delete(id),
    signal,
  })
  await fromCatalogue(repository, store, trees, ids)
  for (const paths of ids.size === 0 ? [] : chooseReads(losses, healing.from)) {
    await readPaths(healing, store, paths)
    if (ids.size === 0) break
  }
  await store.flush()
  sums.healed += store.added.blobs
  sums.healedBytes += store.added.plainBytes
  return store.added.blobs
}

/** Lists that this machine has seen need no source. */
async function fromCatalogue(repository: Repository, store: BlobStore, trees: TreeReader, ids: IdSet): Promise<void> {
  const hash = keyedHash(repository.keyring.blobId(repository.keyring.group, 'tree'))
  for (const id of [...ids]) {
    try {
      const bytes = await trees.bytes(id)
      if (equalBytes(hash(bytes), id)) store.saveTree(bytes)
    } catch (error) {
      // It is a data blob, or has never been seen here.
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
    }
  }
}

/** A walk as a backup's, of which nothing is kept but the blobs that were lost. */
async function readPaths(healing: Healing, store: BlobStore, paths: readonly Uint8Array[]): Promise<void> {
  const { repository, trees, options, problems, sums } = healing
  const problem = (path: Uint8Array, message: string): void => void problems.set(Buffer.from(path).toString('latin1'), { path, message })
  const present = paths.filter((path) => {
    if (statAtIfPresent(AT_FDCWD, path) !== undefined) return true
    problem(path, 'there is no such file or folder')
    return false
  })
  if (present.length === 0) return
  const { counts } = await archive(repository, store, { ...trees, remember: () => undefined }, {
    root: branchesOf(present.map((path) => ({ path }))),
    parentTree: undefined,
    trustsParent: false,
    filter: createFilter({ ignoreFile: null }, () => undefined),
    ownFolders: ownFolders(repository),
    signal: options.signal,
    onFile: (path) => options.onEvent?.({ type: 'file', path }),
    onDone: (count: number) => options.onEvent?.({ type: 'files', count }),
    onBytes: (bytes) => options.onEvent?.({ type: 'bytes', bytes }),
    onProblem: ({ path, message }) => problem(path, message),
    onChangedWhileRead: () => undefined,
    onOwnFolder: (path, what) => options.onEvent?.({ type: 'notice', message: `${escapeBytes(path)} is ${what} and is left out` }),
    onTaken: () => undefined,
  })
  sums.filesRead += counts.totalFiles
  sums.bytesRead += counts.totalBytes
}

