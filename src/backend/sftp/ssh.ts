/**
 * The system's ssh as the way to an SFTP server (`ssh -s HOST sftp`): so ~/.ssh/config, agents, known
 * hosts, jump hosts and hardware keys hold without a line of ours.
 *
 * First ssh must not ask anything, in a session of its own, where Ctrl-C at the terminal does not
 * reach it: a command that is interrupted still needs its storage to end in order. Only where that
 * fails and there is a terminal may it ask.
 */
import { BackupError } from '../../util/errors.ts'
import type { ErrorCode } from '../../util/errors.ts'
import { optionsFor, readSshSettings, type SshSettings } from './ssh-settings.ts'
import { type ProgramEnd, startProgram, type Transport } from './transport.ts'

export interface SshPlace {
  readonly user: string | undefined
  readonly host: string
  readonly port: number | undefined
  /** For messages. */
  readonly location: string
}

/** Errors that a person at the terminal may be able to answer. */
const ASKING = 'asking'

export function sshStarter(place: SshPlace): (mayAsk: boolean) => Promise<Transport> {
  let settings: Promise<SshSettings> | undefined
  return async (mayAsk) => {
    settings ??= readSshSettings(...commandOf(['-G', ...targetOf(place)]))
    const [command, args] = commandOf(sshArguments(place, mayAsk, await settings))
    return startProgram({ command, args, usesTerminal: mayAsk, explain: (end) => explainSsh(end, place, mayAsk) })
  }
}

/** As with GIT_SSH_COMMAND: a command line, for another key, configuration or program. */
function commandOf(args: readonly string[]): [command: string, args: readonly string[]] {
  const own = process.env['NACRE_SSH_COMMAND'] ?? ''
  return own === '' ? ['ssh', args] : ['sh', ['-c', `${own} "$@"`, 'ssh', ...args]]
}

/** Whether a person may help: by a password, or by looking at a host key. */
export function needsPerson(error: unknown): boolean {
  return error instanceof BackupError && error.details[ASKING] === true
}

export function sshArguments(place: SshPlace, mayAsk: boolean, settings: SshSettings): string[] {
  const options = [
    `BatchMode=${mayAsk ? 'no' : 'yes'}`,
    ...optionsFor(settings),
    // What a configuration may say for shells, and must not happen here.
    'ClearAllForwardings=yes', 'ForwardAgent=no', 'ForwardX11=no', 'PermitLocalCommand=no', 'RemoteCommand=none', 'RequestTTY=no',
    // An existing master is used; none is made that would outlive us.
    'ControlMaster=no',
  ]
  return [...options.flatMap((option) => ['-o', option]), '-s', ...targetOf(place), 'sftp']
}

function targetOf({ user, host, port }: SshPlace): string[] {
  return [...(port === undefined ? [] : ['-p', String(port)]), ...(user === undefined ? [] : ['-l', user]), '--', host]
}

/** What ssh tells of its own doings where a user wants to hear of them. */
const CHATTER = /^(?:debug\d:|OpenSSH_|Authenticated to |Transferred: |Bytes per second: )/

export function explainSsh(end: ProgramEnd, { host, location }: SshPlace, mayAsk: boolean): BackupError {
  const { notStarted, abandonedFor, wasClosed } = end
  const words = end.words.filter((line) => !CHATTER.test(line))
  const says = (pattern: RegExp): string | undefined => words.find((line) => pattern.test(line))
  const failed = (message: string, code: ErrorCode = 'BACKEND_FAILED', more: { retryable?: boolean; asking?: boolean } = {}): BackupError =>
    new BackupError(code, message, { path: location, retryable: more.retryable ?? false, details: more.asking === true && !mayAsk ? { [ASKING]: true } : {}, cause: abandonedFor })
  const last = words.at(-1)

  if (notStarted !== undefined) return failed(notStarted === 'ENOENT' ? `cannot reach ${location}: there is no ssh on this machine; install OpenSSH's client` : `cannot reach ${location}: ssh cannot be started (${notStarted})`)
  if (abandonedFor !== undefined) return failed(`what answers at ${location} does not speak SFTP: ${abandonedFor.message}; login files on the server must print nothing`)
  if (wasClosed) return failed(`the connection to ${location} was closed`)
  if (says(/HOST IDENTIFICATION HAS CHANGED/) !== undefined) {
    const offending = says(/^Offending/)
    return failed(`the host key of ${host} is not the one that is known; ssh refuses to connect${offending === undefined ? '' : ` (${offending})`}. Somebody may be in between. If the server really has a new key, take the old one away with ssh-keygen -R`, 'BACKEND_DENIED')
  }
  if (says(/Host key verification failed/) !== undefined) return failed(mayAsk ? `the host key of ${host} was not accepted` : `the host key of ${host} is not known; connect once with ssh and accept it, or add it to known_hosts`, 'BACKEND_DENIED', { asking: true })
  const denied = says(/Permission denied|Too many authentication failures/)
  if (denied !== undefined) return failed(`cannot log in at ${location}: ${denied}${mayAsk ? '' : '. Without a terminal ssh cannot ask for a password: use a key that needs none, or an agent'}`, 'BACKEND_DENIED', { asking: true })
  if (says(/subsystem request failed/) !== undefined) return failed(`the server at ${location} does not offer SFTP`)
  // Whatever cuts the network may let it pass again; what ssh refuses by itself stays.
  const isPassing = end.code === null || last === undefined || /timed out|refused|reset|closed|unreachable|no route|broken pipe|not responding|resolve/i.test(words.join(' '))
  return failed(`the connection to ${location} failed: ${last ?? (end.code === null ? 'ssh was killed' : `ssh ended with code ${end.code}`)}`, 'BACKEND_FAILED', { retryable: isPassing })
}
