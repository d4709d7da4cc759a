/** What a walk over the source is asked, and what comes out of it. */
import type { Tolerance } from './file-node.ts'
import type { Filter, Taken } from './filter.ts'
import type { FileTraits, Node } from './node.ts'
import type { SourceFolder } from './source-folder.ts'
import type { SourceBranch, SourceStream } from './source-paths.ts'
import type { TreeReader } from './tree-reader.ts'

export type ScanEntry =
  /** A folder begins. `parent` is its node in the parent snapshot. */
  | { readonly kind: 'enter'; readonly node: Node; readonly parent: Node | undefined }
  /** It ends. `isIdentical`: every entry of it is the parent's, and no other; `isSame`: so is the folder itself. */
  | { readonly kind: 'leave'; readonly isIdentical: boolean; readonly isSame: boolean; readonly isAligned: boolean }
  /** The parent's next nodes of this folder still hold, as did all before them, one by one. */
  | Alike
  /** The parent's node still holds, though something before it in this folder does not. */
  | { readonly kind: 'same'; readonly node: Node }
  /** Complete, and new or changed. */
  | { readonly kind: 'node'; readonly node: Node; readonly isNew: boolean }
  /** A file with other attributes, whose content is known: of the parent, or of a backup that was interrupted. */
  | { readonly kind: 'known'; readonly node: Node; readonly path: Uint8Array; readonly from: 'parent' | 'journal'; readonly isNew: boolean }
  /** A file whose content must be read, in a folder that is to be released afterwards. */
  | FileEntry
  /** A file whose content comes from elsewhere. */
  | { readonly kind: 'stream'; readonly node: Node; readonly path: Uint8Array; readonly stream: SourceStream; readonly isNew: boolean }

/** Told in one word, because nothing need be known of them: in most backups nearly all is so. */
export interface Alike {
  readonly kind: 'alike'
  count: number
  bytes: number
}

export interface FileEntry {
  readonly kind: 'file'
  readonly node: Node
  readonly path: Uint8Array
  readonly folder: SourceFolder
  /** Below the folder: not the node's where the file is shown elsewhere than it lies. */
  readonly name: Uint8Array
  readonly isNew: boolean
  readonly mayHaveHoles: boolean
}

export interface ScanProblem {
  readonly path: Uint8Array
  readonly code: string
  readonly message: string
}

export interface ScanOptions extends Tolerance {
  readonly root: SourceBranch
  readonly parentTree: Uint8Array | undefined
  readonly trees: TreeReader
  readonly filter: Filter
  /** Folders, as `device:inode`, that are left out with a word: the repository itself, the cache. */
  readonly ownFolders: ReadonlyMap<string, string>
  /** Whether the parent's tree, and what its nodes refer to, may be referred to without asking for each. */
  readonly trustsParent: boolean
  /** Whether all that the parent's node refers to may be referred to. */
  readonly isLive: (node: Node) => Promise<boolean>
  /** What an interrupted backup knew of a file. */
  readonly known?: ((path: Uint8Array) => KnownContent | undefined) | undefined
  readonly isKnownLive: (known: KnownContent) => Promise<boolean>
  /** Whether the times of the last access are kept. */
  readonly withAtime?: boolean | undefined
  readonly onProblem: (problem: ScanProblem) => void
  readonly onOwnFolder: (path: Uint8Array, what: string) => void
  readonly onTaken: (path: Uint8Array, taken: Taken) => void
  /** Content of files up to this size is read whole, several in one batch. */
  readonly smallFileBytes: number
  readonly batchBytes: number
  readonly signal?: AbortSignal | undefined
}

/** Content, and the file that it was read from. */
export type KnownContent = FileTraits & Pick<Node, 'content' | 'extents'>
