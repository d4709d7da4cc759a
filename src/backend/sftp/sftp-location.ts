/**
 * `sftp://[user@]host[:port]/path`. The path is absolute; what begins with `/~/` is below the folder
 * where the server lets one in. What ssh would take for an option, or a shell for more than a name,
 * is refused.
 */
import { BackupError } from '../../util/errors.ts'
import { sharedConnection } from './connection.ts'
import { maySshAsk } from './may-ask.ts'
import type { SftpPlace } from './sftp.ts'
import { needsPerson, type SshPlace, sshStarter } from './ssh.ts'

export interface SftpLocation {
  readonly kind: 'sftp'
  readonly user: string | undefined
  readonly host: string
  readonly port: number | undefined
  /** Absolute, or relative to where the server lets one in. */
  readonly path: string
}

const FORM = 'write it as sftp://user@host:port/path, or sftp://host/~/path for a folder below your home there'

/** @throws {BackupError} INVALID_ARGUMENT - never repeats what may be a password */
export function parseSftpLocation(text: string): SftpLocation {
  const [, authority, rest] = /^sftp:\/\/([^/]*)(\/.*)?$/is.exec(text) ?? []
  if (authority === undefined) throw invalid(`this is no location of the kind "sftp:"; ${FORM}`)
  const [, login, place = ''] = /^(?:(.*)@)?(.*)$/s.exec(authority) ?? []
  if (login?.includes(':') === true) throw invalid('a location holds no password: ssh takes a key or an agent, or asks at the terminal')
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.%a-z_-]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/i.exec(place) ?? []
  const host = decoded(bracketed ?? plain ?? '')
  const user = login === undefined ? undefined : decoded(login)
  const port = digits === undefined ? undefined : Number(digits)
  if (!isName(host) || (user !== undefined && !isName(user)) || (port !== undefined && (port === 0 || port > 65535))) throw invalid(`the host, user or port of this location cannot be; ${FORM}`)
  const path = pathOf(decoded(rest ?? ''))
  if (path === undefined) throw invalid(`this location names no folder; ${FORM}`)
  return { kind: 'sftp', user, host, port, path }
}

export function sftpLocationText({ user, host, port, path }: SftpLocation): string {
  const login = user === undefined ? '' : `${user}@`
  const shown = path === '.' ? '/~/' : path.startsWith('/') ? path : `/~/${path}`
  return `sftp://${login}${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}${shown}`
}

/** Connects at the first use, and anew when the connection is lost. */
export function sftpPlace(location: SftpLocation): SftpPlace {
  const text = sftpLocationText(location)
  const place: SshPlace = { user: location.user, host: location.host, port: location.port, location: text }
  const connection = sharedConnection({ start: sshStarter(place), asksAfter: (error) => needsPerson(error) && maySshAsk() })
  return { connection, root: location.path, location: text }
}

/** Of what ssh and the shells of proxy commands take for a plain word. */
function isName(text: string): boolean {
  return text !== '' && !text.startsWith('-') && !/[\s\0-\x1f\x7f'"`\\;&|<>(){}$*?!#@/]/.test(text)
}

function pathOf(path: string): string | undefined {
  if (path === '' || path.includes('\0')) return undefined
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed === '/~') return '.'
  if (trimmed.startsWith('/~/')) return trimmed.slice(3).replace(/^\/+/, '')
  return trimmed === '' ? '/' : trimmed
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('this location holds a % that begins no escape; a % itself is written %25')
  }
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', message)
}
