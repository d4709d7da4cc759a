/** Findings of a check: data, with what suffers and what to do, for whoever prints or repairs. */

export interface Sufferer {
  readonly snapshotId: string
  readonly path: Uint8Array
  /** Set when it is no path of the tree that suffers, but the snapshot's list of what was skipped. */
  readonly part?: 'skipped' | undefined
}

export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly code:
    | 'index_damaged'
    | 'pack_missing'
    | 'pack_size'
    | 'pack_damaged'
    | 'pack_unindexed'
    | 'snapshot_damaged'
    | 'snapshot_missing'
    | 'snapshot_ghost'
    | 'marker_damaged'
    | 'session_damaged'
    | 'gc_damaged'
    | 'gc_missing'
    | 'gc_open'
    | 'tree_damaged'
    | 'blobs_missing'
    | 'key_damaged'
  /** The object, as it is named in the repository. */
  readonly object: string
  readonly message: string
  readonly suffers: readonly Sufferer[]
  /** Of a pack: ids, in hex, of the blobs that it does not give back, whether or not they lie elsewhere too. */
  readonly blobs?: readonly string[] | undefined
  readonly advice: string
}

export type CheckEvent =
  | { readonly type: 'expectation'; readonly packs: number; readonly bytes: number }
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'object'; readonly name: string }
  | { readonly type: 'finding'; readonly finding: Finding }
  | { readonly type: 'notice'; readonly message: string }

/** Which packs are read whole. */
export type ReadData =
  | { readonly kind: 'all' }
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'part'; readonly part: number; readonly of: number }
  | { readonly kind: 'bytes'; readonly bytes: number }
