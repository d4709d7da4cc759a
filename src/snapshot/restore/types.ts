/** What a restore is asked, what it tells while it runs, and what came of it. */
import type { Snapshot } from '../snapshot.ts'

/**
 * What becomes of a file that stands where one is to go and differs: it is replaced, or only where
 * its size or time differ (`if-changed`; otherwise it counts as the same), or only where it is older
 * than the snapshot's (`if-newer`), or it is kept (`never`).
 */
export type Overwrite = 'always' | 'if-changed' | 'if-newer' | 'never'

/** What a restore would take away. */
export interface Deletion {
  readonly files: number
  readonly folders: number
}

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
  /** `never` when it is left out. */
  readonly overwrite?: Overwrite | undefined
  /**
   * Write the blocks that differ into the file that stands there, instead of making the file anew
   * beside it: less is written and no room is needed, but what interrupts it leaves a mixture, and
   * who has the file open sees it change.
   */
  readonly inPlace?: boolean | undefined
  /**
   * Remove what stands in the restored folders and not in the snapshot, at the end and only when
   * everything else went well. What the patterns leave out stays, and so do paths that the backup
   * could not read, other file systems, the repository and its cache.
   */
  readonly delete?: boolean | undefined
  /** Asked once, before anything is changed, where there is something to delete; `false` ends the restore. */
  readonly confirmDelete?: ((deletion: Deletion) => boolean | Promise<boolean>) | undefined
  /** Whether `delete` may work in the user's home folder, or in one above it. */
  readonly deleteInHomeOrRoot?: boolean | undefined
  /** So many folders are taken off the beginning of each path. */
  readonly stripComponents?: number | undefined
  /** Pass over block and character devices. */
  readonly noDevices?: boolean | undefined
  /** Set no extended attributes, ACLs among them. */
  readonly noXattrs?: boolean | undefined
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
  /** A file is begun. */
  | { readonly type: 'file'; readonly path: Uint8Array }
  /** A file is restored, or stood there already and is the same. */
  | { readonly type: 'done' }
  | { readonly type: 'bytes'; readonly bytes: number }
  /** One line of a dry run's plan; `bytes` of content are to come from the repository. */
  | { readonly type: 'planned'; readonly action: PlannedAction; readonly path: Uint8Array; readonly bytes: number }
  | { readonly type: 'deleted'; readonly path: Uint8Array }
  | { readonly type: 'problem'; readonly problem: RestoreProblem }
  /** The system refused a mode, an owner or a time: the content is whole. */
  | { readonly type: 'warning'; readonly path: Uint8Array; readonly message: string }
  | { readonly type: 'notice'; readonly message: string }

/** `keep`: something else stands there and stays; `same`: what stands there is as in the snapshot already. */
export type PlannedAction = 'create' | 'overwrite' | 'delete' | 'keep' | 'same'

export interface RestoreProblem {
  /** Path below the target. */
  readonly path: Uint8Array
  /** `kept`: something else stands there and was left; `damaged`: its bytes are lost; `failed`: it could not be written. */
  readonly reason: 'kept' | 'damaged' | 'failed'
  readonly message: string
}

export interface RestoreResult {
  /** Made or overwritten. */
  readonly files: number
  /** Of all that was made, what took the place of something else. */
  readonly overwritten: number
  /** With `delete`. */
  readonly deleted: number
  /** Left because it is not older than the snapshot's, with `if-newer`. */
  readonly newer: number
  readonly folders: number
  /** Links, devices, FIFOs and sockets. */
  readonly others: number
  /** Bytes of the files that were restored. */
  readonly bytes: number
  /** Of these, bytes that were taken from the files that stood there. */
  readonly bytesReused: number
  /** Bytes read from packs, compressed; in a dry run what would be. */
  readonly bytesFetched: number
  /** Files that were there already and the same. */
  readonly unchanged: number
  /** Files read again and found right, with `verify`. */
  readonly verified: number
  readonly warnings: number
  readonly problems: readonly RestoreProblem[]
  readonly durationMs: number
}
