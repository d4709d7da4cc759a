/**
 * What a user writes to say where a repository is, and the one place that turns it into a backend.
 * Anything that looks like `kind:rest` is reserved, so that a kind added later never changes the
 * meaning of a location; a local folder of such a name is given as `./kind:rest`.
 */
import { fileURLToPath } from 'node:url'

import { BackupError } from '../util/errors.ts'
import { createLocalRoot, localBackend } from './local.ts'
import { parseS3Location, s3Location, type S3Place, type S3Settings } from './s3/s3-place.ts'
import { type RemoteSettings, withRemoteCare } from './with-remote-care.ts'
import type { Backend } from './backend.ts'
import { parseRcloneLocation, type RcloneLocation, rcloneLocationText, rclonePlace } from './sftp/rclone.ts'
import { parseSftpLocation, type SftpLocation, sftpLocationText, sftpPlace } from './sftp/sftp-location.ts'
import type { SftpPlace } from './sftp/sftp.ts'

export interface LocalPlace {
  readonly kind: 'local'
  readonly path: string
}

export type Location = LocalPlace | S3Place | SftpLocation | RcloneLocation

/** What a location does not say: how to reach it, and how much of the line to take. */
export interface BackendSettings extends RemoteSettings {
  readonly s3?: S3Settings | undefined
}

export interface CreateBackendSettings extends BackendSettings {
  /** Whether a bucket that is missing may be made. */
  readonly createBucket?: boolean | undefined
  /** Whether the storage must be able to lock objects for a time. */
  readonly objectLock?: boolean | undefined
}

/** Two letters at least before the colon: one letter is a drive to some and a name to others. */
const kindPattern = /^([a-z][a-z0-9+.-]+):/i

/** @throws {BackupError} INVALID_ARGUMENT when the text is no location, or of a kind not supported */
export function parseLocation(text: string): Location {
  const kind = kindPattern.exec(text)?.[1]?.toLowerCase()
  if (kind === 'file') return local(pathOfFileLocation(text))
  if (kind === 'sftp') return parseSftpLocation(text)
  if (kind === 'rclone') return parseRcloneLocation(text)
  if (kind === undefined) return local(text)
  if (kind === 's3') return parseS3Location(text)
  // Only the kind is repeated in the message: the rest may hold credentials.
  throw invalid(`there is no kind of repository "${kind}:"; a local folder whose name begins so is written with ./ before it`)
}

/**
 * Opens a place that is there. One far away is not asked before it is used; what it is asked then is
 * tried again where that helps, and held to the limits of the settings.
 * @throws {BackupError} INVALID_ARGUMENT; BACKEND_NOT_FOUND when there is no such folder;
 * BACKEND_DENIED, BACKEND_FAILED
 */
export async function openBackend(location: Location, settings: BackendSettings = {}): Promise<Backend> {
  if (location.kind === 'local') return withRemoteCare(await localBackend(location.path), { ...settings, retryMs: 0 })
  // What serves one kind alone is loaded when that kind is asked for.
  if (location.kind === 's3') {
    const { s3Backend } = await import('./s3/s3.ts')
    return remote(await s3Backend(location, settings.s3, settings.connections), settings)
  }
  const { sftpBackend } = await import('./sftp/sftp.ts')
  return remote(await sftpBackend(placeOf(location)), settings)
}

/** Makes the place where it is missing, durably, and opens it: for `init`. */
export async function createBackend(location: Location, settings: CreateBackendSettings = {}): Promise<Backend> {
  if (settings.objectLock === true && location.kind !== 's3') throw invalid('Object Lock is for buckets of S3 services; other storage has none')
  if (location.kind === 'local') await createLocalRoot(location.path)
  else if (location.kind === 's3') {
    const { createS3Place } = await import('./s3/s3-bucket.ts')
    await createS3Place(location, settings.s3 ?? {}, { mayCreate: settings.createBucket === true, needsLock: settings.objectLock === true })
  } else {
    // Over one connection: it is the backend's afterwards.
    const { createSftpRoot, sftpBackend } = await import('./sftp/sftp.ts')
    const place = placeOf(location)
    await createSftpRoot(place)
    return remote(await sftpBackend(place), settings)
  }
  return openBackend(location, settings)
}

function remote(backend: Backend, settings: BackendSettings): Backend {
  return { ...withRemoteCare(backend, settings), isRemote: true }
}

/** The location for messages: without anything secret. */
export function locationText(location: Location): string {
  if (location.kind === 'local') return location.path
  if (location.kind === 's3') return s3Location(location)
  return location.kind === 'sftp' ? sftpLocationText(location) : rcloneLocationText(location)
}

function placeOf(location: SftpLocation | RcloneLocation): SftpPlace {
  return location.kind === 'sftp' ? sftpPlace(location) : rclonePlace(location)
}

function local(path: string): LocalPlace {
  if (path === '') throw invalid('the location of the repository is empty')
  if (path.includes('\0')) throw invalid('the location of the repository holds a zero byte')
  return { kind: 'local', path }
}

/** `file:///absolute/path`, with percent escapes, or `file:path`, taken as it stands. */
function pathOfFileLocation(text: string): string {
  if (!/^file:\/\//i.test(text)) return text.slice('file:'.length)
  try {
    return fileURLToPath(text)
  } catch (cause) {
    throw invalid('a location that begins with file:// must be a URL of this machine: file:///path', cause)
  }
}

function invalid(message: string, cause?: unknown): BackupError {
  return new BackupError('INVALID_ARGUMENT', message, { cause })
}
