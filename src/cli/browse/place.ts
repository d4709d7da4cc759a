import type { Node, Snapshot } from '../../index.ts'

/** Something of a snapshot. */
export interface Place {
  readonly snapshot: Snapshot
  readonly path: Uint8Array
  readonly node: Node
}
