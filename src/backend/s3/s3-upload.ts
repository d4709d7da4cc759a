/**
 * Creating an object. `If-None-Match: *` makes a service refuse a name that is taken (412), and ask to
 * try again when two come at once (409). The SHA-256 of the bytes goes along, signed, so that what
 * arrives otherwise is refused.
 *
 * What is large is sent in parts, and only packs may be: not every service knows the condition at the
 * end of a multipart upload, and two who race there can both be told that they won. Packs are named by
 * their bytes, so both are right. All other objects are registers, and go in one piece.
 */
import { runningSha256 } from '../../crypto/hash.ts'
import { toHex } from '../../util/bytes.ts'
import { throwIfAborted } from '../../util/errors.ts'
import { attributesOf, explained, requireEncrypted } from './s3-attributes.ts'
import { cutParts, sizeOfParts, streamOf } from './s3-body.ts'
import { nameOf, noS3, statusOf } from './s3-error.ts'
import { sendOptions } from './s3-client.ts'
import type { CreateResult, ObjectLock } from '../backend.ts'
import type { S3Access } from './s3-client.ts'

export interface Upload {
  readonly key: string
  /** For messages: the key below the prefix. */
  readonly doing: string
  readonly parts: readonly Uint8Array[]
  readonly mayBeMultipart: boolean
  readonly lock: ObjectLock | undefined
  readonly signal: AbortSignal | undefined
}

const mebibyte = 1024 * 1024
const multipartDefault = 128 * mebibyte
/** Services take 5 MiB at least and 10,000 parts at most. */
const leastPartBytes = 5 * mebibyte
const partBytesDefault = 32 * mebibyte
const mostParts = 9_000
/** 409 says that another is being written at this moment; that is over soon. */
const conflictsAtMost = 8
const conflictMs = 50
/** How long an upload that failed may take to be cleared away. */
const abortMs = 15_000

/** Errors come as they are, but for those of what was asked besides; the caller puts them into nacre's. */
export async function createObject(access: S3Access, upload: Upload): Promise<CreateResult> {
  try {
    return await createAsked(access, upload)
  } catch (error) {
    throw explained(error, access, upload)
  }
}

async function createAsked(access: S3Access, upload: Upload): Promise<CreateResult> {
  const sizeBytes = sizeOfParts(upload.parts)
  const limit = access.settings.multipartBytes ?? multipartDefault
  if (upload.mayBeMultipart && sizeBytes > limit) return createInParts(access, upload, sizeBytes)
  for (let attempt = 0; ; attempt++) {
    try {
      return await putObject(access, upload, sizeBytes)
    } catch (error) {
      if (statusOf(error) !== 409 || attempt >= conflictsAtMost) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.random() * conflictMs * 2 ** attempt))
      throwIfAborted(upload.signal)
    }
  }
}

async function putObject(access: S3Access, { key, doing, parts, lock, signal }: Upload, sizeBytes: number): Promise<CreateResult> {
  const { sdk, client, place } = access
  const digest = digestOf(parts)
  const body = streamOf(parts)
  const command = new sdk.PutObjectCommand({
    Bucket: place.bucket,
    Key: key,
    Body: sizeBytes === 0 ? new Uint8Array(0) : body,
    ContentLength: sizeBytes,
    ContentType: 'application/octet-stream',
    ChecksumSHA256: base64(digest),
    IfNoneMatch: '*',
    ...attributesOf(access.settings, lock),
  })
  signBody(command, digest)
  try {
    const { ETag, ServerSideEncryption } = await client.send(command, sendOptions(signal))
    if (ETag === undefined) throw noS3(doing, place, 'it takes an object and does not name it')
    requireEncrypted(access, doing, ServerSideEncryption)
    return 'created'
  } catch (error) {
    if (statusOf(error) === 412 || nameOf(error) === 'PreconditionFailed') return 'exists'
    throw error
  } finally {
    // The caller may give the parts away now; nothing may read them any more.
    body.destroy()
  }
}

async function createInParts(access: S3Access, upload: Upload, sizeBytes: number): Promise<CreateResult> {
  const { sdk, client, place } = access
  const { key, parts, signal } = upload
  const options = sendOptions(signal)
  const at = { Bucket: place.bucket, Key: key }
  if (await exists(access, key, signal)) return 'exists'
  // Not stopped by the caller: an upload whose name was never heard could not be cleared away.
  const begin = new sdk.CreateMultipartUploadCommand({ ...at, ...attributesOf(access.settings, upload.lock), ContentType: 'application/octet-stream', ChecksumAlgorithm: 'SHA256' })
  const { UploadId, ServerSideEncryption } = await client.send(begin)
  if (UploadId === undefined) throw noS3(upload.doing, place, 'it begins an upload and does not name it')
  try {
    requireEncrypted(access, upload.doing, ServerSideEncryption)
    const partBytes = Math.max(Math.min(partBytesDefault, access.settings.multipartBytes ?? partBytesDefault), leastPartBytes, Math.ceil(sizeBytes / mostParts))
    const sent: { ETag: string | undefined; PartNumber: number; ChecksumSHA256: string }[] = []
    for (let offset = 0; offset < sizeBytes; offset += partBytes) {
      throwIfAborted(signal)
      const length = Math.min(partBytes, sizeBytes - offset)
      sent.push(await sendPart(access, { ...at, UploadId, PartNumber: sent.length + 1 }, cutParts(parts, offset, length), length, signal))
    }
    await client.send(new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, IfNoneMatch: '*', MultipartUpload: { Parts: sent } }), options)
    return 'created'
  } catch (error) {
    await abortUpload(access, { ...at, UploadId })
    if (statusOf(error) === 412) return 'exists'
    throw error
  }
}

type PartOf = { readonly Bucket: string; readonly Key: string; readonly UploadId: string }

async function sendPart({ sdk, client }: S3Access, part: PartOf & { readonly PartNumber: number }, bytes: readonly Uint8Array[], length: number, signal: AbortSignal | undefined) {
  const digest = digestOf(bytes)
  const body = streamOf(bytes)
  const ChecksumSHA256 = base64(digest)
  const command = new sdk.UploadPartCommand({ ...part, Body: body, ContentLength: length, ChecksumSHA256 })
  signBody(command, digest)
  try {
    const { ETag } = await client.send(command, sendOptions(signal))
    return { ETag, PartNumber: part.PartNumber, ChecksumSHA256 }
  } finally {
    body.destroy()
  }
}

/** Parts that stay cost money and are seen by nobody. What went wrong first is what the caller must know. */
async function abortUpload({ sdk, client }: S3Access, upload: PartOf): Promise<void> {
  await client.send(new sdk.AbortMultipartUploadCommand(upload), { abortSignal: AbortSignal.timeout(abortMs) }).catch(() => undefined)
}

async function exists({ sdk, client, place }: S3Access, key: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await client.send(new sdk.HeadObjectCommand({ Bucket: place.bucket, Key: key }), sendOptions(signal))
    return true
  } catch (error) {
    if (statusOf(error) === 404) return false
    throw error
  }
}

function digestOf(parts: readonly Uint8Array[]): Uint8Array {
  const hash = runningSha256()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Given here, the signer takes it as it is, and does not read a body that can be read only once. */
function signBody(command: { middlewareStack: { add(middleware: unknown, options: unknown): void } }, digest: Uint8Array): void {
  const middleware = (next: (args: unknown) => unknown) => (args: { request: { headers: Record<string, string> } }) => {
    args.request.headers['x-amz-content-sha256'] = toHex(digest)
    return next(args)
  }
  command.middlewareStack.add(middleware, { step: 'build', name: 'nacreBodyHash' })
}
