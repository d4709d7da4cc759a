/**
 * What goes wrong between here and an S3 service, put into nacre's codes and one line that says what
 * to do. Services tell the same thing by different names, proxies answer in their stead, and HEAD has
 * no body at all, so status, name and the connection's error are looked at together.
 */
import { nowNs } from '../../util/clock.ts'
import { BackupError, errnoOf, isBackupError, messageOf, throwIfAborted } from '../../util/errors.ts'
import { s3Location } from './s3-place.ts'
import type { ErrorCode } from '../../util/errors.ts'
import type { S3Place } from './s3-place.ts'

interface Answer {
  readonly name: string
  readonly status: number | undefined
  readonly message: string
  readonly headers: Readonly<Record<string, string>>
  /** What else the body of the error said. */
  readonly fields: Readonly<Record<string, unknown>>
}

type Verdict = readonly [code: ErrorCode, reason: string, retryable?: boolean]

/** Errors of connections that pass, or may. A name that is not known is not among them. */
const passingErrnos: ReadonlySet<string> = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN',
  'EAI_AGAIN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE',
])

/** Names of what passes although the status alone does not say so. */
const passingNames: ReadonlySet<string> = new Set([
  'RequestTimeout', 'OperationAborted', 'ConditionalRequestConflict', 'SlowDown', 'InternalError', 'ServiceUnavailable',
  // Somebody has cleared away the parts of an upload that was under way: it begins anew.
  'NoSuchUpload', 'IncompleteBody', 'BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'TooManyRequests', 'Throttling',
])

const certificateErrnos = /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED|ERR_TLS_CERT)/
const longestReason = 300

/**
 * @param doing - what was tried, as in "store packs/…"
 * @returns the error to throw; an error that is nacre's own is returned as it is
 */
export function s3Error(error: unknown, doing: string, place: S3Place): unknown {
  if (isBackupError(error) || error instanceof TypeError || error instanceof RangeError) return error
  const answer = answerOf(error)
  const [code, reason, retryable = false] = judged(error, answer, place)
  const { name, status } = answer
  const isPlaceMissing = name === 'NoSuchBucket'
  const isLocked = isLockRefusal(answer)
  return new BackupError(code, `cannot ${doing} in ${s3Location(place)}: ${reason}`, {
    cause: error,
    retryable,
    path: s3Location(place),
    details: { name, ...(status === undefined ? {} : { status }), ...(isPlaceMissing ? { isPlaceMissing } : {}), ...(isLocked ? { isLocked } : {}), ...retryAfter(answer) },
  })
}

/** Puts what the service or the connection says into nacre's codes, with what was tried. */
export async function told<T>({ place }: { readonly place: S3Place }, doing: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    // The SDK's own error of an abort tells nothing of its reason.
    throwIfAborted(signal)
    throw s3Error(error, doing, place)
  }
}

/** For an answer that parses, and is nothing that an S3 service says. */
export function noS3(doing: string, place: S3Place, what: string): BackupError {
  return new BackupError('BACKEND_FAILED', `cannot ${doing} in ${s3Location(place)}: ${noS3Reason(what)}`, { path: s3Location(place) })
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

export function statusOf(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | undefined)?.$metadata?.httpStatusCode
  return typeof status === 'number' ? status : undefined
}

function judged(error: unknown, answer: Answer, place: S3Place): Verdict {
  const { name, status, message } = answer
  const byConnection = status === undefined ? connectionVerdict(error, name, place) : undefined
  if (byConnection !== undefined) return byConnection
  const byName = nameVerdict(answer, place)
  if (byName !== undefined) return byName
  if (status === undefined) return ['BACKEND_FAILED', message]
  if (isPassing(name, status)) return ['BACKEND_FAILED', `the service does not manage just now (${status}${named(name)})`, true]
  if (isUnreadable(error)) return ['BACKEND_FAILED', noS3Reason(`it answered ${status} with something else`)]
  if (isLockRefusal(answer)) return ['BACKEND_DENIED', `an Object Lock keeps it (${message})`]
  if (status === 403 || status === 401) return ['BACKEND_DENIED', `not permitted (${status}${named(name)})`]
  if (status === 507) return ['BACKEND_FULL', 'the service has no space left']
  return ['BACKEND_FAILED', `${message} (${status}${named(name)})`]
}

function connectionVerdict(error: unknown, name: string, place: S3Place): Verdict | undefined {
  const errno = errnoOf(error) ?? errnoOf((error as Error | undefined)?.cause) ?? ''
  const host = place.endpoint ?? 'the service'
  if (name === 'CredentialsProviderError' || /credential/i.test(name)) {
    return ['BACKEND_DENIED', 'no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE']
  }
  if (certificateErrnos.test(errno)) {
    return ['BACKEND_FAILED', `the certificate of ${host} is not trusted (${errno}); if it is your own, name the authority that signed it by --s3-ca FILE`]
  }
  if (errno === 'EPROTO' || errno.startsWith('ERR_SSL_')) return ['BACKEND_FAILED', `${host} does not speak TLS there; is it http:// and not https://?`]
  if (errno.startsWith('HPE_') && errno !== 'HPE_INVALID_EOF_STATE') return ['BACKEND_FAILED', noS3Reason('it does not even speak HTTP')]
  if (errno === 'ENOTFOUND') return ['BACKEND_FAILED', `there is no host of the name in ${place.endpoint ?? 'the endpoint'} (ENOTFOUND)`]
  if (errno === 'ECONNREFUSED') return ['BACKEND_FAILED', `nothing listens at ${host} (ECONNREFUSED)`, true]
  if (passingErrnos.has(errno) || name === 'TimeoutError') return ['BACKEND_FAILED', `the connection to ${host} broke (${errno === '' ? 'no answer in time' : errno})`, true]
  return undefined
}

function nameVerdict({ name, message, headers, fields, status }: Answer, place: S3Place): Verdict | undefined {
  switch (name) {
    case 'NoSuchBucket':
      return ['BACKEND_FAILED', `there is no bucket "${place.bucket}"; "nacre init --create-bucket" makes one`]
    case 'RequestTimeTooSkewed':
    case 'RequestExpired':
      return ['BACKEND_DENIED', `the clock of this machine is off${clockDifference(headers)}; set it right`]
    case 'InvalidAccessKeyId':
      return ['BACKEND_DENIED', 'the service does not know the access key (AWS_ACCESS_KEY_ID or the profile)']
    case 'SignatureDoesNotMatch':
      return ['BACKEND_DENIED', 'the secret key is wrong (AWS_SECRET_ACCESS_KEY or the profile)']
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return ['BACKEND_DENIED', 'the session token has expired or is wrong; sign in again']
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'TemporaryRedirect':
      return elsewhere(place, headers['x-amz-bucket-region'] ?? fields['Region'], message)
    case 'QuotaExceeded':
    case 'XMinioStorageFull':
      return ['BACKEND_FULL', 'the service has no space left for you']
    case 'BucketAlreadyExists':
      return ['BACKEND_DENIED', `the bucket "${place.bucket}" belongs to somebody else`]
    default:
      return status === 301 || status === 307 ? elsewhere(place, headers['x-amz-bucket-region'], message) : undefined
  }
}

function elsewhere({ bucket }: S3Place, region: unknown, message: string): Verdict {
  const expected = typeof region === 'string' && region !== '' ? region : /expecting '([^']+)'/.exec(message)?.[1]
  const advice = expected === undefined ? 'name it by --s3-region' : `it is in ${expected}: give --s3-region ${expected}`
  return ['BACKEND_FAILED', `the bucket "${bucket}" is in another region; ${advice}`]
}

/** Told by the service's own clock, which stands in every answer. */
function clockDifference(headers: Readonly<Record<string, string>>): string {
  const theirs = Date.parse(headers['date'] ?? '')
  if (Number.isNaN(theirs)) return ''
  const minutes = Math.round((Number(nowNs() / 1_000_000n) - theirs) / 60_000)
  const size = Math.abs(minutes)
  const amount = size >= 2880 ? `${Math.round(size / 1440)} days` : size >= 120 ? `${Math.round(size / 60)} hours` : `${size} minutes`
  return ` by ${amount} (${minutes > 0 ? 'ahead of' : 'behind'} the service's)`
}

function isPassing(name: string, status: number): boolean {
  return passingNames.has(name) || status === 429 || status === 408 || (status >= 500 && status !== 501 && status !== 505 && status !== 507)
}

/** What the service says of itself, in seconds; a date is as rare as clocks that agree. */
function retryAfter({ headers }: Answer): { retryAfterMs?: number } {
  const text = headers['retry-after'] ?? ''
  return /^\d{1,5}$/.test(text) ? { retryAfterMs: Number(text) * 1000 } : {}
}

/** Refused because of a lock and not of a permission, which only the words tell apart. */
function isLockRefusal({ name, status, message }: Answer): boolean {
  return status === 403 && name === 'AccessDenied' && /object.?lock|\bWORM\b|\bretention\b/i.test(message)
}

/** Whether the body of the answer was no XML, or none that an S3 service sends with an error. */
function isUnreadable(error: unknown): boolean {
  const { Code, message } = error as { Code?: unknown; message?: unknown }
  return /Deserialization error|is not expected/.test(String(message)) || (Code === undefined && ['UnknownError', 'Unknown', 'SyntaxError'].includes(nameOf(error)))
}

function noS3Reason(what: string): string {
  return `what answers there is no S3 service (${what}); check host, port and path of the endpoint`
}

function named(name: string): string {
  return name === '' || name === 'Error' || name.startsWith('Unknown') ? '' : ` ${name}`
}

function answerOf(error: unknown): Answer {
  const fields = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {}
  const response = fields['$response'] as { headers?: Record<string, string>; statusCode?: number } | undefined
  const message = messageOf(error).split('\n')[0]!.slice(0, longestReason)
  return { name: nameOf(error), status: statusOf(error) ?? response?.statusCode, message, headers: response?.headers ?? {}, fields }
}
