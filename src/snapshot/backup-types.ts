/** What a backup is asked for, what it tells while it runs, and what comes of it. */
import type { Person } from '../repository/repository.ts'
import type { Taken } from './filter.ts'
import type { FilterOptions } from './filter-rules.ts'
import type { Skipped, Snapshot, SnapshotSummary } from './snapshot.ts'
import type { AsPath, NamedStream } from './source-list.ts'

export type BackupEvent =
  /** What the last backup of these paths held: the best guess of what is to come. */
  | { readonly type: 'expectation'; readonly files: number; readonly bytes: number; readonly parent: string }
  | { readonly type: 'file'; readonly path: Uint8Array }
  | { readonly type: 'bytes'; readonly bytes: number }
  /** So many more files are in the tree, whole, read or unchanged. */
  | { readonly type: 'done'; readonly files: number }
  | { readonly type: 'skipped'; readonly skipped: Skipped }
  /** The filter has taken it, and all below it. */
  | { readonly type: 'excluded'; readonly path: Uint8Array; readonly taken: Taken }
  | { readonly type: 'notice'; readonly message: string }
  /** The backup fails or was stopped, and packs of so many bytes that it stored are there for the next one. */
  | { readonly type: 'kept'; readonly bytes: number }

export interface BackupOptions {
  /** Made absolute; bytes where a name is no text. */
  readonly paths: readonly (string | Uint8Array)[]
  /** What lies below `real` is shown below `shown`; without a path below it, all of it is backed up. */
  readonly asPaths?: readonly AsPath[] | undefined
  /** One more file, whose content comes from elsewhere. */
  readonly stream?: NamedStream | undefined
  readonly person: Person
  readonly tags?: readonly string[] | undefined
  readonly label?: string | undefined
  readonly description?: string | undefined
  /** Retention keeps the snapshot until then. */
  readonly keepUntilNs?: bigint | undefined
  /** When the backup counts as begun; by default now. */
  readonly timeNs?: bigint | undefined
  /** Compare with this snapshot instead of the newest of the same host and paths. */
  readonly parent?: Snapshot | undefined
  /** Read every file, whatever the parent says. */
  readonly force?: boolean | undefined
  /** gitignore patterns; the same as rules of kind `exclude` before all others. */
  readonly exclude?: readonly string[] | undefined
  /** What else stays out. */
  readonly filter?: FilterOptions | undefined
  /** Make a snapshot also where the filter leaves nothing. */
  readonly allowEmpty?: boolean | undefined
  /** Make none where all is as it was in the parent. */
  readonly skipIfUnchanged?: boolean | undefined
  /** Keep the times of the last access. */
  readonly withAtime?: boolean | undefined
  /** Do not take a file for changed because its inode, or its ctime, is another. */
  readonly ignoreInode?: boolean | undefined
  readonly ignoreCtime?: boolean | undefined
  /** zstd level from -7 to 19, 2 by default; null stores without compression. */
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
  /** undefined after a dry run, or where nothing had changed and that was to be skipped. */
  readonly snapshotId: string | undefined
  readonly isUnchanged: boolean
  readonly parent: string | undefined
  readonly tree: Uint8Array
  readonly summary: SnapshotSummary
  /** How many source files are not in the snapshot as they were. */
  readonly skippedCount: number
  /** The first of them, 200 at most; each came as an event, and `loadSkipped` gives all. */
  readonly skipped: readonly Skipped[]
  /** Files that an interrupted backup had read; they count as new or changed all the same. */
  readonly filesResumed: number
  /** How often the filter took something. */
  readonly excluded: number
  readonly durationMs: number
}
