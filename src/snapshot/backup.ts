/**
 * A backup, from paths to a committed snapshot: a session, a walk, and the commit. When prune has
 * condemned packs meanwhile, or has fenced the session, the walk is repeated with its own result as
 * the parent: nearly everything is known by then, and what is not any more is stored anew.
 */
import { nowNs, zoneOffsetMinutes, monotonicMs } from '../util/clock.ts'
import { compareBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { AT_FDCWD, statAtIfPresent } from '../util/posix/stat.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import { programVersion } from '../util/version-file.ts'
import { openBlobStore } from '../repository/blob-store.ts'
import type { Person, Repository } from '../repository/repository.ts'
import { beginSession, type Session } from '../repository/session.ts'
import { archive, type Archived, type ArchiveEvents } from './archiver.ts'
import { createExcluder } from './exclude.ts'
import { chooseParent, isWhole, lastOfHost, markWhole } from './parent.ts'
import { absolutePath } from './select.ts'
import { encodeSnapshot, type Skipped, type Snapshot, type SnapshotRecord, type SnapshotSummary } from './snapshot.ts'
import { loadSnapshots } from './snapshots.ts'
import { branchesOf } from './source-paths.ts'
import { openTreeReader } from './tree-reader.ts'

export type BackupEvent =
  /** What the last backup of these paths held: the best guess of what is to come. */
  | { readonly type: 'expectation'; readonly files: number; readonly bytes: number; readonly parent: string }
  | { readonly type: 'file'; readonly path: Uint8Array }
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'skipped'; readonly skipped: Skipped }
  | { readonly type: 'notice'; readonly message: string }

export interface BackupOptions {
  /** Made absolute; bytes where a name is no text. */
  readonly paths: readonly (string | Uint8Array)[]
  readonly person: Person
  readonly tags?: readonly string[] | undefined
  readonly label?: string | undefined
  readonly description?: string | undefined
  /** When the backup counts as begun; by default now. */
  readonly timeNs?: bigint | undefined
  /** Compare with this snapshot instead of the newest of the same host and paths. */
  readonly parent?: Snapshot | undefined
  /** Read every file, whatever the parent says. */
  readonly force?: boolean | undefined
  /** gitignore patterns. */
  readonly exclude?: readonly string[] | undefined
  /** zstd level from -7 to 19, 3 by default; null stores without compression. */
  readonly level?: number | null | undefined
  /** Worker threads; 0 does all work on the calling thread. */
  readonly threads: number
  /** Share of frames opened again before upload; 1 by default. */
  readonly verifyFraction?: number | undefined
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: BackupEvent) => void) | undefined
}

export interface BackupResult {
  /** undefined after a dry run. */
  readonly snapshotId: string | undefined
  readonly parent: string | undefined
  readonly tree: Uint8Array
  readonly summary: SnapshotSummary
  readonly skipped: readonly Skipped[]
  readonly durationMs: number
}

const LEVEL_DEFAULT = 3
const ATTEMPTS = 5

/**
 * @throws {BackupError} SOURCE_NOT_FOUND - none of the paths is there; SESSION_FENCED - every new
 * session was fenced as well; what the backend throws
 */
export async function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  const started = monotonicMs()
  const startNs = options.timeNs ?? nowNs()
  const run: Run = { repository, options, startNs, skipped: [], paths: absolutePaths(options.paths) }
  const wanted = presentPaths(run)
  let found: Archived | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const outcome = await attemptBackup(run, wanted, found)
    if ('fenced' in outcome) found = outcome.fenced
    else return { ...outcome, skipped: run.skipped, durationMs: monotonicMs() - started }
  }
  throw new BackupError('SESSION_FENCED', `the session was fenced by a prune ${ATTEMPTS} times in a row; nothing is lost, run the backup again when the prune is over`, { retryable: true })
}

interface Run {
  readonly repository: Repository
  readonly options: BackupOptions
  readonly startNs: bigint
  readonly paths: readonly Uint8Array[]
  skipped: Skipped[]
}

type Finished = Omit<BackupResult, 'skipped' | 'durationMs'>

async function attemptBackup(run: Run, wanted: readonly Uint8Array[], before: Archived | undefined): Promise<Finished | { fenced: Archived }> {
  const { repository, options } = run
  const isDry = options.dryRun === true
  const session = await beginSession(isDry ? { ...repository, backend: await dryBackend(repository) } : repository, { person: options.person, kind: 'backup', signal: options.signal })
  let isSettled = false
  try {
    const { snapshots } = await loadSnapshots(repository, { gc: session.gc, signal: options.signal })
    const parent = options.force === true ? undefined : (options.parent ?? chooseParent(snapshots, options.person.host, run.paths, run.startNs))
    if (parent !== undefined) {
      options.onEvent?.({ type: 'expectation', files: parent.summary.totalFiles, bytes: parent.summary.totalBytes, parent: parent.id })
    }
    const { archived, added } = await archiveSource(run, session, wanted, parent, before)
    const summary = { ...archived.counts, dataAdded: added.plainBytes, dataAddedStored: added.storedBytes }
    const finished = { parent: parent?.id, tree: archived.tree, summary }
    isSettled = isDry
    if (isDry) return { ...finished, snapshotId: undefined }
    const last = lastOfHost(snapshots, options.person.host)
    const body = encodeSnapshot(recordOf(run, finished, (last?.sequence ?? 0) + 1, last?.id))
    const outcome = await session.commit(body)
    isSettled = true
    if (outcome === 'fenced') return { fenced: archived }
    await markWhole(repository, session.sid)
    return { ...finished, snapshotId: session.sid }
  } finally {
    // A session that ends otherwise says so; if even that fails, a prune will fence it.
    if (!isSettled) await session.abandon().catch(() => undefined)
  }
}

/** Reads, and stores; once more for what a prune has condemned in the meantime. */
async function archiveSource(run: Run, session: Session, wanted: readonly Uint8Array[], parent: Snapshot | undefined, before: Archived | undefined): Promise<{ archived: Archived; added: { plainBytes: number; storedBytes: number } }> {
  const { repository, options } = run
  const trees = await openTreeReader(repository)
  await using store = await openBlobStore(repository, session, {
    threads: options.threads,
    level: options.level === null ? undefined : (options.level ?? LEVEL_DEFAULT),
    verifyFraction: options.verifyFraction ?? 1,
    dryRun: options.dryRun === true,
    signal: options.signal,
  })
  const shared = {
    root: branchesOf(wanted),
    excluder: createExcluder(options.exclude ?? []),
    ownFolders: ownFolders(repository),
    signal: options.signal,
  }
  let parentTree = before?.tree ?? parent?.tree
  let trustsParent = before === undefined && parent !== undefined && session.index.deadPacks === 0 && (await isWhole(repository, parent.id))
  for (;;) {
    run.skipped = run.skipped.filter((item) => item.reason === MISSING)
    const archived = await archive(repository, store, trees, { ...shared, ...archiveEvents(run), parentTree, trustsParent })
    await store.flush()
    if (options.dryRun === true || !(await session.refresh())) return { archived, added: store.added }
    options.onEvent?.({ type: 'notice', message: 'a prune has condemned packs meanwhile; what was only there is stored anew' })
    parentTree = archived.tree
    trustsParent = false
  }
}

const MISSING = 'missing'
const VANISHED_CODES = new Set(['ENOENT', 'ENOTDIR', 'NOT_A_FILE', 'ELOOP'])

function archiveEvents(run: Run): ArchiveEvents {
  const { onEvent } = run.options
  const skip = (path: Uint8Array, reason: string, message: string): void => {
    const skipped = { path, reason, message }
    run.skipped.push(skipped)
    onEvent?.({ type: 'skipped', skipped })
  }
  return {
    onFile: (path) => onEvent?.({ type: 'file', path }),
    onBytes: (bytes) => onEvent?.({ type: 'bytes', bytes }),
    onProblem: ({ path, code, message }) => skip(path, VANISHED_CODES.has(code) ? 'vanished' : 'unreadable', message),
    onChangedWhileRead: (path) => skip(path, 'changed', 'it changed while it was read; what is stored may mix both states'),
    onOwnFolder: (path, what) => onEvent?.({ type: 'notice', message: `${escapeBytes(path)} is ${what} and is left out` }),
  }
}

function absolutePaths(paths: readonly (string | Uint8Array)[]): Uint8Array[] {
  if (paths.length === 0) throw new BackupError('INVALID_ARGUMENT', 'no path was given to back up')
  const unique = new Map<string, Uint8Array>()
  for (const path of paths) {
    const absolute = absolutePath(path)
    unique.set(Buffer.from(absolute).toString('latin1'), absolute)
  }
  return [...unique.values()].sort(compareBytes)
}

function presentPaths(run: Run): Uint8Array[] {
  const present = run.paths.filter((path) => {
    if (statAtIfPresent(AT_FDCWD, path) !== undefined) return true
    const skipped = { path, reason: MISSING, message: 'there is no such file or folder' }
    run.skipped.push(skipped)
    run.options.onEvent?.({ type: 'skipped', skipped })
    return false
  })
  if (present.length > 0) return present
  const named = run.paths.map(escapeBytes).join(', ')
  throw new BackupError('SOURCE_NOT_FOUND', `nothing to back up: ${named} ${run.paths.length === 1 ? 'does' : 'do'} not exist; no snapshot was made`, { path: named })
}

/** The repository and the cache, when they lie on this machine, are not backed up into themselves. */
export function ownFolders(repository: Repository): Map<string, string> {
  const own = new Map<string, string>()
  for (const [path, what] of [[repository.backend.location, 'the repository itself'], [repository.cacheFolder, 'the cache of this repository']] as const) {
    const stat = path.startsWith('/') ? statAtIfPresent(AT_FDCWD, utf8(path), { follow: true }) : undefined
    if (stat !== undefined) own.set(`${stat.device}:${stat.inode}`, what)
  }
  return own
}

async function dryBackend(repository: Repository): Promise<Repository['backend']> {
  const { withDryRun } = await import('../backend/with-dry-run.ts')
  return withDryRun(repository.backend)
}

function recordOf(run: Run, finished: { parent: string | undefined; tree: Uint8Array; summary: SnapshotSummary }, sequence: number, previous: string | undefined): SnapshotRecord {
  const { options } = run
  return {
    tree: finished.tree,
    paths: run.paths,
    host: options.person.host,
    user: options.person.user,
    tags: options.tags ?? [],
    label: options.label ?? '',
    description: options.description ?? '',
    startNs: run.startNs,
    endNs: nowNs(),
    zoneMinutes: zoneOffsetMinutes(run.startNs),
    parent: finished.parent,
    summary: finished.summary,
    skippedCount: run.skipped.length,
    skipped: run.skipped,
    program: programVersion(),
    sequence,
    previous,
  }
}
