/** What every repair is told and tells. */
import type { Person } from '../../repository/repository.ts'

export interface RepairOptions {
  readonly person: Person
  readonly threads: number
  /** Do it; without, only find out what would be done. */
  readonly apply?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RepairEvent) => void) | undefined
}

export type RepairEvent =
  | { readonly type: 'expectation'; readonly objects: number; readonly bytes: number }
  | { readonly type: 'object'; readonly name: string }
  /** A file is being read. */
  | { readonly type: 'file'; readonly path: Uint8Array }
  /** So many more are done. */
  | { readonly type: 'files'; readonly count: number }
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'notice'; readonly message: string }

/** An object that could not be read, or that is left as it is, and why. */
export interface LeftObject {
  /** As it is named in the repository. */
  readonly object: string
  readonly message: string
}
