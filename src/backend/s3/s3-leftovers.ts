/**
 * Parts of uploads that were killed: no list of objects shows them, and they cost money. Which uploads
 * are the repository's is told by the keys, which must be those of packs below its prefix: nothing
 * else is sent in parts.
 *
 * Age is patience only: an upload that is still under way loses its parts and begins anew.
 */
import { nowNs } from '../../util/clock.ts'
import { parseKey } from '../layout.ts'
import { noS3, nameOf } from './s3-error.ts'
import { sendOptions } from './s3-client.ts'
import type { Leftovers } from '../backend.ts'
import type { S3Access } from './s3-client.ts'

interface OpenUpload {
  readonly key: string
  readonly uploadId: string
}

/** Errors come as they are; the caller puts them into nacre's. */
export async function abortUploads(access: S3Access, olderThanMs: number | undefined, signal: AbortSignal | undefined): Promise<Leftovers> {
  const found = { files: 0, bytes: 0 }
  for await (const upload of openUploads(access, olderThanMs, signal)) {
    const bytes = await sizeOfUpload(access, upload, signal)
    if (!(await abortOne(access, upload, signal))) continue
    found.files++
    found.bytes += bytes
  }
  return found
}

async function* openUploads(access: S3Access, olderThanMs: number | undefined, signal: AbortSignal | undefined): AsyncGenerator<OpenUpload> {
  const { sdk, client, place } = access
  const root = place.prefix === '' ? '' : `${place.prefix}/`
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: place.bucket, Prefix: `${root}packs/`, ...marker }), sendOptions(signal))
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || !Key.startsWith(root) || parseKey(Key.slice(root.length))?.type !== 'packs') continue
      if (olderThanMs !== undefined && !isOlder(Initiated, olderThanMs)) continue
      yield { key: Key, uploadId: UploadId }
    }
    if (page.IsTruncated !== true) return
    const next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
    const isForward = next.KeyMarker !== undefined && (next.KeyMarker !== marker.KeyMarker || next.UploadIdMarker !== marker.UploadIdMarker)
    if (!isForward) throw noS3('list interrupted uploads', place, 'its list does not say how it goes on')
    marker = next
  }
}

/** One whose age nobody tells is left alone. */
function isOlder(initiated: Date | undefined, olderThanMs: number): boolean {
  return initiated !== undefined && Number(nowNs() / 1_000_000n) - initiated.getTime() >= olderThanMs
}

/** For the message alone: what cannot be told counts for nothing. */
async function sizeOfUpload({ sdk, client, place }: S3Access, { key, uploadId }: OpenUpload, signal: AbortSignal | undefined): Promise<number> {
  try {
    const { Parts } = await client.send(new sdk.ListPartsCommand({ Bucket: place.bucket, Key: key, UploadId: uploadId }), sendOptions(signal))
    return (Parts ?? []).reduce((sum, { Size }) => sum + (Size ?? 0), 0)
  } catch {
    return 0
  }
}

/** False when it had ended by itself. */
async function abortOne({ sdk, client, place }: S3Access, { key, uploadId }: OpenUpload, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await client.send(new sdk.AbortMultipartUploadCommand({ Bucket: place.bucket, Key: key, UploadId: uploadId }), sendOptions(signal))
    return true
  } catch (error) {
    if (nameOf(error) !== 'NoSuchUpload') throw error
    return false
  }
}
