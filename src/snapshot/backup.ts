/**
 * A backup, from paths to a committed snapshot: a session, a walk, and the commit. When prune has
 * condemned packs meanwhile, or has fenced the session, the walk is repeated with its own result as
 * the parent: nearly everything is known by then, and what is not any more is stored anew.
 */
import { ZSTD_LEVEL_DEFAULT } from '../codec/zstd.ts'
import { nowNs, zoneOffsetMinutes, monotonicMs } from '../util/clock.ts'
import { compareBytes, utf8 } from '../util/bytes.ts'
import { encodeCbor } from '../codec/cbor.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { AT_FDCWD, statAtIfPresent } from '../util/posix/stat.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import { programVersion } from '../util/version-file.ts'
import { type BlobStore, openBlobStore } from '../repository/blob-store.ts'
import type { Repository } from '../repository/repository.ts'
import { probeOnce } from '../repository/catalogue/probed.ts'
import { beginSession, type Session } from '../repository/session.ts'
import { archive, type Archived, type ArchiveEvents, type ArchiveOptions, saveTree } from './archiver.ts'
import type { BackupOptions, BackupResult } from './backup-types.ts'
import { createFilter, type Filter } from './filter.ts'
import type { FilterRule } from './filter-rules.ts'
import { type Journal, openJournal } from './journal.ts'
import { findLastOfHost, rememberLast, vanishedMessage } from './last-of-host.ts'
import { type Node, nodeToCbor } from './node.ts'
import { chooseParent, hasPaths, isWhole, markWhole } from './parent.ts'
import { rememberSnapshotRecord } from './register-reader.ts'
import { encodeSnapshot, type Skipped, type Snapshot, type SnapshotRecord } from './snapshot.ts'
import { snapshotsBeside } from './snapshots.ts'
import { createSkipLog, type SkipLog, type SkippedList } from './skipped.ts'
import { sourcePaths } from './source-list.ts'
import { branchesOf, type SourcePath } from './source-paths.ts'
import { openTreeReader, type TreeReader } from './tree-reader.ts'
import { findPath } from './tree-walk.ts'

const ATTEMPTS = 5

/**
 * @throws {BackupError} SOURCE_NOT_FOUND - none of the paths is there; NOTHING_SELECTED - the filter
 * left nothing; SOURCE_FAILED - the stream did; SESSION_FENCED - every new session was fenced as
 * well; BACKEND_UNSUITABLE - the storage, reached this way for the first time, was tried and failed;
 * what the backend throws
 */
export async function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  const started = monotonicMs()
  const startNs = options.timeNs ?? nowNs()
  const sources = sourcePaths(options)
  const { present: wanted, missing } = presentPaths(sources, options.onEvent)
  if (options.dryRun !== true) await probeOnce(repository, options.signal)
  const run: Run = { repository, options, startNs, paths: sources.map(({ path }) => path), missing, told: new Set(), fenced: [], filter: filterOf(options), excluded: 0, hasOwnFolders: false }
  let found: Archived | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const outcome = await attemptBackup(run, wanted, found)
    if ('fenced' in outcome) {
      found = outcome.fenced
      run.fenced.push(outcome.sid)
    } else return { ...outcome, excluded: run.excluded, durationMs: monotonicMs() - started }
  }
  throw new BackupError('SESSION_FENCED', `the session was fenced by a prune ${ATTEMPTS} times in a row; nothing is lost, run the backup again when the prune is over`, { retryable: true })
}

interface Run {
  readonly repository: Repository
  readonly options: BackupOptions
  readonly startNs: bigint
  readonly paths: readonly Uint8Array[]
  /** Of the paths that were asked for, those that are not there. */
  readonly missing: readonly Skipped[]
  /** What was said, however often the backup begins again. */
  readonly told: Set<string>
  /** Sids of this backup's sessions that were fenced. */
  readonly fenced: string[]
  readonly filter: Filter
  excluded: number
  /** Whether the repository or its cache lies in what was asked for, and is left out. */
  hasOwnFolders: boolean
}

function tellOnce(run: Run, message: string): void {
  if (!run.told.has(message)) run.options.onEvent?.({ type: 'notice', message })
  run.told.add(message)
}

type Finished = Omit<BackupResult, 'excluded' | 'durationMs'>

async function attemptBackup(run: Run, wanted: readonly SourcePath[], before: Archived | undefined): Promise<Finished | { fenced: Archived; sid: string }> {
  const { repository, options } = run
  const isDry = options.dryRun === true
  const beside = snapshotsBeside(repository, options.signal)
  const session = await beginSession(isDry ? { ...repository, backend: await dryBackend(repository) } : repository, { person: options.person, kind: 'backup', adopts: run.fenced, whileLoading: beside.begin, signal: options.signal })
  let isSettled = false
  try {
    const known = await beside.list(session.gc)
    const last = await findLastOfHost(repository, options.person.host, known, session.gc, options.signal)
    for (const gone of last.vanished) tellOnce(run, vanishedMessage(options.person.host, gone))
    const parent = options.force === true ? undefined : (options.parent ?? chooseParent(known.snapshots, options.person.host, run.paths, run.startNs))
    if (parent !== undefined) {
      options.onEvent?.({ type: 'expectation', files: parent.summary.totalFiles, bytes: parent.summary.totalBytes, parent: parent.id })
    }
    const { archived, added, skipped, journal } = await archiveSource(run, session, wanted, parent, before)
    const { filesResumed, ...counts } = archived.counts
    requireSomething(run, counts.totalFiles)
    const summary = { ...counts, dataAdded: added.plainBytes, dataAddedStored: added.storedBytes }
    const isUnchanged = !isDry && options.skipIfUnchanged === true && parent !== undefined && (await isAllTheSame(run, parent, archived.tree))
    const finished = { parent: parent?.id, tree: archived.tree, summary, filesResumed, isUnchanged, skippedCount: skipped.count, skipped: skipped.first }
    isSettled = isDry
    if (isUnchanged) await journal?.remove()
    if (isDry || isUnchanged) return { ...finished, snapshotId: undefined }
    const sequence = last.sequence + 1
    const body = encodeSnapshot(recordOf(run, finished, { skippedAll: skipped.all, sequence, previous: last.id }))
    const outcome = await session.commit(body)
    isSettled = true
    if (outcome === 'fenced') return { fenced: archived, sid: session.sid }
    await rememberSnapshotRecord(repository, session.name, body)
    await markWhole(repository, session.sid)
    await rememberLast(repository, options.person.host, { name: session.name, sequence }, last)
    await journal?.remove()
    return { ...finished, snapshotId: session.sid }
  } finally {
    // A session that ends otherwise says so; if even that fails, a prune will fence it.
    if (!isSettled) await session.abandon().catch(() => undefined)
  }
}

interface Walked {
  readonly archived: Archived
  readonly added: { readonly plainBytes: number; readonly storedBytes: number }
  readonly skipped: SkippedList
  readonly journal: Journal | undefined
}

/** Reads, and stores; once more for what a prune has condemned in the meantime. */
async function archiveSource(run: Run, session: Session, wanted: readonly SourcePath[], parent: Snapshot | undefined, before: Archived | undefined): Promise<Walked> {
  const { repository, options } = run
  const trees = await openTreeReader(repository)
  await using store = await openBlobStore(repository, session, {
    threads: options.threads,
    level: options.level === null ? undefined : (options.level ?? ZSTD_LEVEL_DEFAULT),
    verifyFraction: options.verifyFraction ?? 1,
    dryRun: options.dryRun === true,
    signal: options.signal,
  })
  const shared = {
    root: branchesOf(wanted),
    filter: run.filter,
    ownFolders: ownFolders(repository),
    withAtime: options.withAtime,
    ignoreInode: options.ignoreInode,
    ignoreCtime: options.ignoreCtime,
    signal: options.signal,
  }
  const journal = options.dryRun === true || options.force === true ? undefined : await openJournal(repository, options.person.host, run.paths, nowNs())
  try {
    return await walkUntilLive(run, session, { store, trees, shared, parent, before, journal })
  } catch (error) {
    const bytes = await store.keepStored()
    if (bytes > 0) options.onEvent?.({ type: 'kept', bytes })
    throw error
  }
}

interface Walking {
  readonly store: BlobStore
  readonly trees: TreeReader
  readonly shared: Omit<ArchiveOptions, keyof ArchiveEvents | 'parentTree' | 'trustsParent' | 'journal'>
  readonly parent: Snapshot | undefined
  readonly before: Archived | undefined
  readonly journal: Journal | undefined
}

async function walkUntilLive(run: Run, session: Session, walking: Walking): Promise<Walked> {
  const { repository, options } = run
  const { store, trees, shared, parent, before, journal } = walking
  let parentTree = before?.tree ?? parent?.tree
  let trustsParent = before === undefined && parent !== undefined && session.index.deadPacks === 0 && (await isWhole(repository, parent.id))
  for (let isFirst = true; ; isFirst = false) {
    run.excluded = 0
    const skips = createSkipLog(store, (blob) => saveTree(store, trees, blob))
    run.missing.forEach(skips.add)
    const archived = await archive(repository, store, trees, { ...shared, ...archiveEvents(run, skips), parentTree, trustsParent, journal: isFirst ? journal : undefined })
    const skipped = skips.finish()
    await store.flush()
    if (options.dryRun === true || !(await session.refresh())) return { archived, added: store.added, skipped, journal }
    options.onEvent?.({ type: 'notice', message: 'a prune has condemned packs meanwhile; what was only there is stored anew' })
    parentTree = archived.tree
    trustsParent = false
  }
}

const MISSING = 'missing'
const VANISHED_CODES = new Set(['ENOENT', 'ENOTDIR', 'NOT_A_FILE', 'ELOOP'])

function archiveEvents(run: Run, skips: SkipLog): ArchiveEvents {
  const { onEvent } = run.options
  const skip = (path: Uint8Array, reason: string, message: string): void => {
    const skipped = { path, reason, message }
    skips.add(skipped)
    onEvent?.({ type: 'skipped', skipped })
  }
  return {
    onFile: (path) => onEvent?.({ type: 'file', path }),
    onBytes: (bytes) => onEvent?.({ type: 'bytes', bytes }),
    onDone: (files) => onEvent?.({ type: 'done', files }),
    onProblem: ({ path, code, message }) => skip(path, VANISHED_CODES.has(code) ? 'vanished' : 'unreadable', message),
    onChangedWhileRead: (path) => skip(path, 'changed', 'it changed while it was read, and again when it was read once more; what is stored may mix both states'),
    onTaken(path, taken) {
      run.excluded++
      onEvent?.({ type: 'excluded', path, taken })
    },
    onOwnFolder(path, what) {
      run.hasOwnFolders = true
      onEvent?.({ type: 'notice', message: `${escapeBytes(path)} is ${what} and is left out` })
    },
  }
}

function filterOf(options: BackupOptions): Filter {
  const rules = (options.exclude ?? []).map((pattern): FilterRule => ({ kind: 'exclude', pattern, origin: '--exclude' }))
  const all = { ...options.filter, rules: [...rules, ...(options.filter?.rules ?? [])] }
  return createFilter(all, (_path, message) => options.onEvent?.({ type: 'notice', message }))
}

/** A filter that leaves nothing is a mistake, and a snapshot of nothing would look like a backup. */
function requireSomething(run: Run, files: number): void {
  if (files > 0 || run.options.allowEmpty === true) return
  if (run.hasOwnFolders && run.excluded === 0) throw new BackupError('NOTHING_SELECTED', 'besides the repository or its cache, which no backup takes, there is nothing to back up, so no snapshot was made; --allow-empty makes one all the same')
  if (run.excluded === 0) return
  throw new BackupError('NOTHING_SELECTED', 'the filter leaves nothing to back up, so no snapshot was made; "--dry-run -v" shows what each rule takes, and --allow-empty makes one all the same')
}

/** Whether what was asked for is the parent's; the folders above it are others' and do not count. */
async function isAllTheSame(run: Run, parent: Snapshot, tree: Uint8Array): Promise<boolean> {
  const trees = await openTreeReader(run.repository)
  const nodeAt = (root: Uint8Array, path: Uint8Array): Promise<Node | undefined> =>
    findPath(trees, root, path).catch((error: unknown) => {
      if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
      return undefined
    })
  for (const path of run.paths) {
    const [before, now] = [await nodeAt(parent.tree, path), await nodeAt(tree, path)]
    if (before === undefined || now === undefined) {
      if (before !== now) return false
    } else if (compareBytes(encodeCbor(nodeToCbor(before)), encodeCbor(nodeToCbor(now))) !== 0) return false
  }
  return hasPaths(parent, run.paths)
}

function presentPaths(sources: readonly SourcePath[], onEvent: BackupOptions['onEvent']): { present: SourcePath[]; missing: Skipped[] } {
  const missing: Skipped[] = []
  const present = sources.filter(({ path, real, stream }) => {
    if (stream !== undefined || statAtIfPresent(AT_FDCWD, real ?? path) !== undefined) return true
    const skipped = { path, reason: MISSING, message: 'there is no such file or folder' }
    missing.push(skipped)
    onEvent?.({ type: 'skipped', skipped })
    return false
  })
  if (present.length > 0) return { present, missing }
  const named = sources.map(({ path, real }) => escapeBytes(real ?? path)).join(', ')
  throw new BackupError('SOURCE_NOT_FOUND', `nothing to back up: ${named} ${sources.length === 1 ? 'does' : 'do'} not exist; no snapshot was made`, { path: named })
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

function recordOf(run: Run, finished: Omit<Finished, 'snapshotId'>, more: Pick<SnapshotRecord, 'skippedAll' | 'sequence' | 'previous'>): SnapshotRecord {
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
    skippedCount: finished.skippedCount,
    skipped: finished.skipped,
    program: programVersion(),
    keepUntilNs: options.keepUntilNs,
    ...more,
  }
}
