/**
 * A file's content: the ids and lengths of its data blobs. A short list stands in the node itself;
 * a long one is a list of its own in tree blobs, so that no file needs memory in proportion to its
 * size, and a change at its end rewrites one leaf and the spine above it.
 */
import { asBytes } from '../codec/cbor.ts'
import { dataView } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'

/** id[32] ‖ length u32 */
export const CONTENT_RECORD_BYTES = 36
const ID_BYTES = 32
/** Up to this many blobs stand in the node: 2 MiB of chunks of the default size. */
export const INLINE_BLOBS = 16

export type Content =
  | { readonly kind: 'inline'; readonly records: Uint8Array }
  | { readonly kind: 'list'; readonly root: Uint8Array }

export interface ContentBlob {
  readonly id: Uint8Array
  readonly length: number
}

/** A root is told from records by its length alone: 32 is no multiple of 36. */
export function contentToCbor(content: Content): Uint8Array {
  return content.kind === 'inline' ? content.records : content.root
}

export function contentFromCbor(value: unknown, what: string): Content {
  const bytes = asBytes(value, what)
  if (bytes.length === ID_BYTES) return { kind: 'list', root: bytes }
  if (bytes.length % CONTENT_RECORD_BYTES !== 0) throw new BackupError('CORRUPT', 'a file has a broken list of blobs')
  return { kind: 'inline', records: bytes }
}

export function* contentBlobs(records: Uint8Array): Generator<ContentBlob> {
  const view = dataView(records)
  for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
    yield { id: records.subarray(at, at + ID_BYTES), length: view.getUint32(at + ID_BYTES, true) }
  }
}
