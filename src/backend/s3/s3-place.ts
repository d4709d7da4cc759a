/**
 * What a location of the kind `s3:` says: `s3://bucket/prefix` for Amazon or for the endpoint that the
 * environment names, `s3:https://host:port/bucket/prefix` for any other service. Credentials have no
 * place in it: locations are printed, and stand in process lists and shell histories.
 */
import { BackupError } from '../../util/errors.ts'

export interface S3Place {
  readonly kind: 's3'
  /** `https://host:port`; without it the environment and the region say where. */
  readonly endpoint: string | undefined
  readonly bucket: string
  /** Without slashes at its ends; '' is the bucket's root. */
  readonly prefix: string
}

/** What cannot be said in a location. All of it is optional. */
export interface S3Settings {
  readonly region?: string | undefined
  /** `host` puts the bucket into the host's name, `path` into the path. Default: `path` where an endpoint is given. */
  readonly addressing?: 'host' | 'path' | undefined
  readonly storageClass?: string | undefined
  /** `AES256`, `aws:kms`, or `aws:kms:KEY`. */
  readonly encryption?: string | undefined
  /** A file of certificates (PEM) to trust besides those of the system. */
  readonly caFile?: string | undefined
  /** How long a connection may be silent before it counts as broken; a minute unless said otherwise. */
  readonly silenceMs?: number | undefined
  /** Packs above this size are sent in parts. */
  readonly multipartBytes?: number | undefined
}

/** Wider than Amazon's rules: some services still keep older names. */
const bucketPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/
/** A key may have 1,024 bytes, of which the layout takes up to 100. */
const prefixBytes = 900

/** @throws {BackupError} INVALID_ARGUMENT - never with the text itself, which may hold credentials */
export function parseS3Location(text: string): S3Place {
  const rest = text.slice(text.indexOf(':') + 1)
  if (rest.startsWith('//')) return placeOf(undefined, rest.slice(2))
  if (!/^https?:\/\//i.test(rest)) throw invalid('is written as s3://bucket/prefix or s3:https://host/bucket/prefix')
  let url: URL
  try {
    url = new URL(rest)
  } catch {
    throw invalid('holds no valid URL after s3:')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('must not hold credentials: they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine')
  }
  if (url.search !== '' || url.hash !== '') throw invalid('must not hold "?" or "#"')
  // As it was written, and not as a URL would have it: a percent sign is a percent sign.
  const path = /^https?:\/\/[^/]*\/?(.*)$/is.exec(rest)?.[1] ?? ''
  return placeOf(url.origin, path)
}

/** How the place is named to people and in messages. */
export function s3Location({ endpoint, bucket, prefix }: S3Place): string {
  const path = prefix === '' ? bucket : `${bucket}/${prefix}`
  return endpoint === undefined ? `s3://${path}` : `s3:${endpoint}/${path}`
}

function placeOf(endpoint: string | undefined, path: string): S3Place {
  const [bucket = '', ...folders] = path.replace(/\/+$/, '').split('/')
  if (!bucketPattern.test(bucket)) throw invalid(bucket === '' ? 'names no bucket' : 'names no valid bucket (3 characters or more: letters, digits, ".", "-", "_")')
  const prefix = folders.join('/')
  if (folders.some((folder) => folder === '' || folder === '.' || folder === '..')) throw invalid('must not hold an empty folder, "." or ".."')
  if (/\p{Cc}/u.test(prefix) || Buffer.byteLength(prefix) > prefixBytes) throw invalid(`must not hold control characters, nor more than ${prefixBytes} bytes after the bucket`)
  return { kind: 's3', endpoint, bucket, prefix }
}

function invalid(what: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `a location of the kind "s3:" ${what}`)
}
