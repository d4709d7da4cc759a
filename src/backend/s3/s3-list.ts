/**
 * Lists, page by page. A list is what decides what may be deleted, so nothing is taken on trust: an
 * answer must be one of S3, each key must come after the last, and a page that promises more must say
 * where it goes on. A service that turns in circles or goes back ends in an error, never in a list
 * that is too short.
 */
import { throwIfAborted } from '../../util/errors.ts'
import { foldersOf, parseKey } from '../layout.ts'
import { noS3, s3Error } from './s3-error.ts'
import type { ObjectInfo, ObjectType, OperationOptions } from '../backend.ts'
import type { S3Access } from './s3-client.ts'

type ListOptions = OperationOptions & { readonly after?: string }
type Page = Awaited<ReturnType<typeof ask>>

/** Pages that hold no key at all may come between others, but not for ever. */
const emptyPagesAtMost = 100

export async function* listObjects(access: S3Access, type: ObjectType, options: ListOptions): AsyncGenerator<ObjectInfo> {
  const { prefix } = access.place
  const root = prefix === '' ? '' : `${prefix}/`
  const { after = '', signal } = options
  const doing = `list ${type}`
  let lastKey: string | undefined
  let token: string | undefined
  let emptyPages = 0
  for (;;) {
    throwIfAborted(signal)
    const page = await asked(access, doing, { prefix: root + typePrefix(type), startAfter: after === '' ? undefined : root + startKey(type, after), token }, signal)
    for (const { Key, Size } of page.Contents ?? []) {
      const key = decoded(Key)
      if (lastKey !== undefined && key !== undefined && !isAfter(key, lastKey)) throw noS3(doing, access.place, 'its list does not go forward')
      lastKey = key ?? lastKey
      const ref = key?.startsWith(root) === true ? parseKey(key.slice(root.length)) : undefined
      if (ref === undefined || ref.type !== type || ref.name <= after) continue
      if (!Number.isSafeInteger(Size) || Size! < 0) throw noS3(doing, access.place, 'its list tells no size')
      yield { type: ref.type, name: ref.name, sizeBytes: Size! }
    }
    if (page.IsTruncated !== true) return
    emptyPages = (page.Contents ?? []).length === 0 ? emptyPages + 1 : 0
    const next = page.NextContinuationToken
    if (next === undefined || next === '' || next === token || emptyPages > emptyPagesAtMost) throw noS3(doing, access.place, 'its list does not say how it goes on')
    token = next
  }
}

/** Asks for one name, to see whether the bucket is there and is one. */
export async function confirmBucket(access: S3Access, doing: string, signal: AbortSignal | undefined): Promise<void> {
  await asked(access, doing, { prefix: 'config', startAfter: undefined, token: undefined, most: 1 }, signal)
}

interface Question {
  readonly prefix: string
  readonly startAfter: string | undefined
  readonly token: string | undefined
  readonly most?: number
}

async function asked(access: S3Access, doing: string, question: Question, signal: AbortSignal | undefined): Promise<Page> {
  let page: Page
  try {
    page = await ask(access, question, signal)
  } catch (error) {
    throwIfAborted(signal)
    throw s3Error(error, doing, access.place)
  }
  // Any page of HTML is a list without entries to a parser that is kind enough.
  if (page.Name !== access.place.bucket || page.IsTruncated === undefined) throw noS3(doing, access.place, 'its list is none')
  return page
}

function ask({ sdk, client, place }: S3Access, { prefix, startAfter, token, most }: Question, signal: AbortSignal | undefined) {
  const command = new sdk.ListObjectsV2Command({
    Bucket: place.bucket,
    Prefix: prefix,
    // Strangers' keys may hold what XML cannot.
    EncodingType: 'url',
    StartAfter: token === undefined ? startAfter : undefined,
    ContinuationToken: token,
    MaxKeys: most,
  })
  return client.send(command, { ...(signal === undefined ? {} : { abortSignal: signal }) })
}

function typePrefix(type: ObjectType): string {
  return foldersOf(type) === 'root' ? type : `${type}/`
}

/** A key that no object up to `after` lies behind, and no later one before. */
function startKey(type: ObjectType, after: string): string {
  if (type === 'config') return ''
  return type === 'packs' ? `packs/${after.slice(0, 2)}/${after}` : `${type}/${after}`
}

/** undefined for what cannot be decoded, and so is no object of ours. */
function decoded(key: string | undefined): string | undefined {
  try {
    return key === undefined ? undefined : decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** In byte order of UTF-8, as services list. */
function isAfter(key: string, other: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0
}
