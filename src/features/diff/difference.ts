/** What a comparison says: plain records, for whoever prints them or acts on them. */
import type { Node } from '../../snapshot/node.ts'

/**
 * `added` and `removed`; `content`: other bytes, another link target or device; `type`: a file has
 * become a folder, and the like; `metadata`: mode, owner, times or attributes.
 */
export type Change = 'added' | 'removed' | 'content' | 'type' | 'metadata'

/** What of a node differs. */
export type Field = 'content' | 'size' | 'target' | 'device' | 'mode' | 'owner' | 'mtime' | 'xattrs'

export interface Difference {
  readonly change: Change
  /** Absolute, as the first of the two sides has it. */
  readonly path: Uint8Array
  readonly before: Node | undefined
  readonly after: Node | undefined
  readonly fields: readonly Field[]
  /** The bytes of a live file are others while its size and times are not: damage, or a forgery. */
  readonly isSilent: boolean
}

export type DiffRecord =
  | ({ readonly kind: 'difference' } & Difference)
  /** Of a live file that cannot be looked at, nothing is known. */
  | { readonly kind: 'problem'; readonly path: Uint8Array; readonly message: string }
