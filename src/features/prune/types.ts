/** What prune is told, what it tells, and what came of it. */
import type { Person } from '../../repository/repository.ts'
import type { FoundSession } from '../../repository/sessions.ts'

/** How much of what is kept may be unused. */
export type MaxUnused = { readonly kind: 'percent'; readonly percent: number } | { readonly kind: 'bytes'; readonly bytes: number } | { readonly kind: 'unlimited' }

export interface PruneOptions {
  readonly person: Person
  readonly threads: number
  /** Say what would be done. */
  readonly dryRun?: boolean | undefined
  /** Nobody else uses the repository: every open session is dead, and the storage need not be fit for several. */
  readonly exclusive?: boolean | undefined
  /** 5 % by default. */
  readonly maxUnused?: MaxUnused | undefined
  /** Packs of so many bytes are written anew at most. */
  readonly maxRepackBytes?: number | undefined
  /** Write small packs anew as full ones. */
  readonly repackSmall?: boolean | undefined
  /** Snapshots forgotten less than this ago are not swept. */
  readonly keepRecoverableMs?: number | undefined
  /** Sessions open for longer are fenced; 24 hours by default. It is patience, never safety. */
  readonly fenceAfterMs?: number | undefined
  /** Fence every open session at once. */
  readonly fence?: boolean | undefined
  /** Snapshots, by id, that are gone from the storage and given up: prune goes on without them. */
  readonly lost?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: PruneEvent) => void) | undefined
}

export type PruneEvent =
  | { readonly type: 'step'; readonly step: PruneStep; readonly generation?: number | undefined }
  | { readonly type: 'plan'; readonly plan: PruneTotals }
  /** A pack that stays although the plan condemned it, or a session that was fenced, and why. */
  | { readonly type: 'kept'; readonly object: string; readonly reason: string }
  | { readonly type: 'fenced'; readonly session: FoundSession }
  | { readonly type: 'waiting'; readonly session: FoundSession }
  /** Bytes that were written anew so far. */
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'deleted'; readonly object: string; readonly bytes: number }
  /** A pack that nobody uses any more and that a lock keeps; a later prune deletes it. */
  | { readonly type: 'locked'; readonly object: string; readonly bytes: number; readonly untilMs: number | undefined }
  /** Temporary files, or parts, that interrupted writes had left. */
  | { readonly type: 'leftovers'; readonly files: number; readonly bytes: number }

export type PruneStep = 'survey' | 'repack' | 'fence' | 'decide' | 'sweep'

/** Packs and bytes of them, as listed. */
export interface Amount {
  readonly packs: number
  readonly bytes: number
}

/** What is forgotten or unused, and stays because it is locked. */
export interface LockedAmount extends Amount {
  readonly snapshots: number
  /** When the last of these locks ends; undefined when there is none. */
  readonly untilMs: number | undefined
}

export interface PruneTotals {
  readonly before: Amount
  /** Nothing in them is used, or no index object knows them, or they are not what the index says. */
  readonly unused: Amount
  /** Written anew without what is unused in them. */
  readonly repack: Amount
  /** Stored bytes of what is copied out of those. */
  readonly repackUsedBytes: number
  /** Left alone: they may belong to sessions that are open. */
  readonly ofOpenSessions: Amount
  /** Left alone: locks keep them. */
  readonly locked: LockedAmount
  /** Unused bytes in packs that stay. */
  readonly unusedBytesLeft: number
  /** Names `<group>/<sid>`. */
  readonly sweep: readonly string[]
  /** Forgotten, but so lately that they are kept for now. */
  readonly recoverable: number
  readonly keptSnapshots: number
  /** By an estimate: what is written anew may compress otherwise. */
  readonly freedBytes: number
}

export interface PruneResult {
  readonly outcome: 'done' | 'nothing to do' | 'left open' | 'planned'
  /** The last generation that was worked on. */
  readonly generation: number | undefined
  readonly plan: PruneTotals | undefined
  readonly deletedPacks: number
  readonly deletedBytes: number
  /** Bytes of the packs that were written anew. */
  readonly writtenBytes: number
  readonly sweptSnapshots: number
  /** Packs that the plan condemned and that turned out to be needed. */
  readonly rescuedPacks: number
  /** Packs that were to be deleted and that locks keep. */
  readonly lockedPacks: number
  readonly lockedBytes: number
  /** Objects whose locks were made longer. */
  readonly extendedLocks: number
  /** Whether the storage keeps what was deleted as old versions, by rules of its own. */
  readonly keepsVersions: boolean
  /** Sessions that were waited for, when the generation was left open. */
  readonly waitingFor: readonly FoundSession[]
  readonly durationMs: number
}

/** What a run has done so far; a run may finish more than one generation. */
export interface Tally {
  deletedPacks: number
  deletedBytes: number
  writtenBytes: number
  sweptSnapshots: number
  rescuedPacks: number
  lockedPacks: number
  lockedBytes: number
  extendedLocks: number
}

export const FENCE_AFTER_MS = 24 * 60 * 60 * 1000
