/**
 * What a user writes to say where a repository is, and the one place that turns it into a backend.
 * Anything that looks like `kind:rest` is reserved, so that a kind added later never changes the
 * meaning of a location; a local folder of such a name is given as `./kind:rest`.
 */
import { fileURLToPath } from 'node:url'

import { BackupError } from '../util/errors.ts'
import { createLocalRoot, localBackend } from './local.ts'
import type { Backend } from './backend.ts'
import { parseRcloneLocation, type RcloneLocation, rcloneLocationText, rclonePlace } from './sftp/rclone.ts'
import { parseSftpLocation, type SftpLocation, sftpLocationText, sftpPlace } from './sftp/sftp-location.ts'
import type { SftpPlace } from './sftp/sftp.ts'

export interface LocalLocation {
  readonly kind: 'local'
  readonly path: string
}

export type Location = LocalLocation | SftpLocation | RcloneLocation

/** Two letters at least before the colon: one letter is a drive to some and a name to others. */
const kindPattern = /^([a-z][a-z0-9+.-]+):/i
const plannedKinds: ReadonlySet<string> = new Set(['s3'])

/** @throws {BackupError} INVALID_ARGUMENT when the text is no location, or of a kind not supported */
export function parseLocation(text: string): Location {
  const kind = kindPattern.exec(text)?.[1]?.toLowerCase()
  if (kind === 'file') return local(pathOfFileLocation(text))
  if (kind === 'sftp') return parseSftpLocation(text)
  if (kind === 'rclone') return parseRcloneLocation(text)
  if (kind === undefined) return local(text)
  // Only the kind is repeated in the message: the rest may hold credentials.
  const problem = plannedKinds.has(kind)
    ? `repositories of the kind "${kind}:" are not supported yet in this version`
    : `there is no kind of repository "${kind}:"`
  throw invalid(`${problem}; a local folder whose name begins so is written with ./ before it`)
}

/**
 * Opens a place that is there.
 * @throws {BackupError} INVALID_ARGUMENT; BACKEND_NOT_FOUND when there is no such folder;
 * BACKEND_DENIED, BACKEND_FAILED
 */
export async function openBackend(location: Location): Promise<Backend> {
  if (location.kind === 'local') return localBackend(location.path)
  const { sftpBackend } = await import('./sftp/sftp.ts')
  return sftpBackend(placeOf(location))
}

/** Makes the place where it is missing, durably, and opens it: for `init`. */
export async function createBackend(location: Location): Promise<Backend> {
  if (location.kind === 'local') {
    await createLocalRoot(location.path)
    return localBackend(location.path)
  }
  const { createSftpRoot, sftpBackend } = await import('./sftp/sftp.ts')
  const place = placeOf(location)
  await createSftpRoot(place)
  return sftpBackend(place)
}

/** The location for messages: without anything secret. */
export function locationText(location: Location): string {
  if (location.kind === 'local') return location.path
  return location.kind === 'sftp' ? sftpLocationText(location) : rcloneLocationText(location)
}

function placeOf(location: SftpLocation | RcloneLocation): SftpPlace {
  return location.kind === 'sftp' ? sftpPlace(location) : rclonePlace(location)
}

function local(path: string): Location {
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
