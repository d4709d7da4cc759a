/**
 * `rclone:REMOTE:PATH`: everything that the installed rclone reaches. `rclone serve sftp --stdio`
 * speaks SFTP on its standard streams, so all else is the SFTP backend's; it opens no port and ends
 * with its input.
 *
 * The location goes to rclone in the environment, as an alias made for this process alone: a location
 * with parameters may hold secrets, and arguments are seen by everyone on the machine.
 */
import { BackupError } from '../../util/errors.ts'
import { sharedConnection } from './connection.ts'
import type { SftpPlace } from './sftp.ts'
import { type ProgramEnd, startProgram, type Transport } from './transport.ts'

export interface RcloneLocation {
  readonly kind: 'rclone'
  /** As rclone takes it; may hold secrets. */
  readonly remote: string
}

const ALIAS = 'nacrelocation'
/** Name or `:backend`, parameters, and the path. A value with a comma or colon is quoted. */
const REMOTE = /^(:?[^,:/]+)((?:,[^=,:]+(?:=(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:"']*))?)*):(.*)$/s

const ARGUMENTS = [
  'serve', 'sftp', '--stdio',
  // Others may have changed a folder a moment ago: nothing that was listed is listed from memory.
  '--dir-cache-time', '0s', '--poll-interval', '0',
  // Requests may come to be handled out of order: waited for, they are put in order.
  '--vfs-write-wait', '1m', '--vfs-cache-mode', 'off',
  '--ask-password=false', '--log-level', 'NOTICE',
]

const WITHOUT_LINKS = 'rclone cannot create an object only if it is absent'

/** @throws {BackupError} INVALID_ARGUMENT - never repeats the location */
export function parseRcloneLocation(text: string): RcloneLocation {
  const remote = text.slice('rclone:'.length)
  const isRemote = !text.startsWith('rclone://') && !remote.includes('\0') && REMOTE.test(remote)
  if (!isRemote) throw new BackupError('INVALID_ARGUMENT', 'this is no location of the kind "rclone:"; write it as rclone:REMOTE:PATH, with a REMOTE that "rclone listremotes" lists')
  return { kind: 'rclone', remote }
}

/** Without parameters, which may be secret. */
export function rcloneLocationText({ remote }: RcloneLocation): string {
  const [, name, , path] = REMOTE.exec(remote) ?? []
  return `rclone:${name}:${path}`
}

export function rclonePlace(location: RcloneLocation): SftpPlace {
  const connection = sharedConnection({ start: () => startRclone(location), asksAfter: () => false })
  return { connection, root: '/', location: rcloneLocationText(location), withoutLinks: WITHOUT_LINKS }
}

function startRclone(location: RcloneLocation): Transport {
  const alias = ALIAS.toUpperCase()
  return startProgram({
    command: 'rclone',
    args: [...ARGUMENTS, `${ALIAS}:`],
    environment: { [`RCLONE_CONFIG_${alias}_TYPE`]: 'alias', [`RCLONE_CONFIG_${alias}_REMOTE`]: location.remote },
    explain: (end) => explainRclone(end, location),
  })
}

export function explainRclone(end: ProgramEnd, location: RcloneLocation): BackupError {
  const place = rcloneLocationText(location)
  const [, name] = REMOTE.exec(location.remote) ?? []
  const failed = (message: string, retryable = false): BackupError => new BackupError('BACKEND_FAILED', message, { path: place, retryable, cause: end.abandonedFor })
  const plain = (line: string): string => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (?:[A-Z]+ *: )?/, '').replaceAll(location.remote, place).replaceAll(`"${ALIAS}:"`, `"${name}:"`).replaceAll(`${ALIAS}:`, `${name}:`)
  const words = end.words.map(plain).filter((line) => !/^Config file .* not found|^Usage:|^Use "rclone/.test(line))
  const says = (pattern: RegExp): boolean => words.some((line) => pattern.test(line))

  if (end.notStarted !== undefined) return failed(end.notStarted === 'ENOENT' ? `cannot reach ${place}: there is no rclone on this machine; install it` : `cannot reach ${place}: rclone cannot be started (${end.notStarted})`)
  if (end.wasClosed) return failed(`the connection to ${place} was closed`)
  if (says(/didn't find section in config file/)) return failed(`rclone knows no remote "${name}"; "rclone config" makes one, and "rclone listremotes" lists them`)
  if (says(/unknown flag/)) return failed(`the rclone on this machine is too old: it cannot serve sftp as nacre needs it (${words[0] ?? ''})`)
  if (says(/unable to decrypt configuration|password required|can't decrypt/i)) return failed(`the configuration of rclone is encrypted: give its password in RCLONE_CONFIG_PASS, or by RCLONE_PASSWORD_COMMAND`)
  if (end.abandonedFor !== undefined) return failed(`rclone does not speak SFTP for ${place}: ${end.abandonedFor.message}`)
  // A remote that cannot be set up stays so; one that was at work may answer again.
  const last = words.at(-1)
  return failed(`rclone ended at ${place}: ${last ?? (end.code === null ? 'it was killed' : `with code ${end.code}`)}`, !says(/^Failed to create file system/))
}
