/** What a restore is asked, what it tells while it runs, and what came of it. */
import type { Snapshot } from '../snapshot.ts'

export interface RestoreOptions {
  readonly snapshot: Snapshot
  /**
   * Absolute path in the snapshot. A folder's children go into the target, a file becomes
   * `target/name`; without a path everything does, under its absolute path.
   */
  readonly path?: Uint8Array | undefined
  /** Made where it is missing. */
  readonly target: string | Uint8Array
  /** gitignore patterns; only what matches one is restored. */
  readonly include?: readonly string[] | undefined
  /** gitignore patterns; what matches is left out. */
  readonly exclude?: readonly string[] | undefined
  /** Decide everything and write nothing. */
  readonly dryRun?: boolean | undefined
  /** Read every restored file again and compare it with the snapshot. */
  readonly verify?: boolean | undefined
  /** Give owners by their numbers, whatever names the snapshot has for them. */
  readonly numericIds?: boolean | undefined
  /** Make holes of blocks of zeros, also in files that had none. Holes of the source come back anyway. */
  readonly sparse?: boolean | undefined
  /** Worker threads; 0 does all work on the calling thread. */
  readonly threads: number
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RestoreEvent) => void) | undefined
}

export type RestoreEvent =
  | { readonly type: 'expectation'; readonly files: number; readonly bytes: number }
  | { readonly type: 'file'; readonly path: Uint8Array }
  | { readonly type: 'bytes'; readonly bytes: number }
  /** One line of a dry run's plan. */
  | { readonly type: 'planned'; readonly action: 'create' | 'keep' | 'same'; readonly path: Uint8Array; readonly bytes: number }
  | { readonly type: 'problem'; readonly problem: RestoreProblem }
  /** The system refused a mode, an owner or a time: the content is whole. */
  | { readonly type: 'warning'; readonly path: Uint8Array; readonly message: string }
  | { readonly type: 'notice'; readonly message: string }

export interface RestoreProblem {
  /** Path below the target. */
  readonly path: Uint8Array
  /** `kept`: something else stands there and was left; `damaged`: its bytes are lost; `failed`: it could not be written. */
  readonly reason: 'kept' | 'damaged' | 'failed'
  readonly message: string
}

export interface RestoreResult {
  readonly files: number
  readonly folders: number
  /** Links, devices, FIFOs and sockets. */
  readonly others: number
  /** Bytes of content written. */
  readonly bytes: number
  /** Files that were there already and the same. */
  readonly unchanged: number
  /** Files read again and found right, with `verify`. */
  readonly verified: number
  readonly warnings: number
  readonly problems: readonly RestoreProblem[]
  readonly durationMs: number
}
