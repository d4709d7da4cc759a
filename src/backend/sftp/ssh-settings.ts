/**
 * What the user's configuration of ssh says where nacre has a wish of its own. Options on a command line
 * win over every file, so a wish is only expressed where the files express none: `ssh -G` tells what
 * holds for a host.
 */
import { spawn } from 'node:child_process'

export interface SshSettings {
  /** Seconds between the questions whether the server is still there; 0 asks none. */
  readonly aliveSeconds: number
  /** How much ssh says. */
  readonly logLevel: string
}

/** What ssh does by itself. */
const NO_WISH: SshSettings = { aliveSeconds: 0, logLevel: 'INFO' }
/** A configuration may run programs and ask name servers. */
const PATIENCE_MS = 5000

/** What cannot be found out is taken for no wish: the connection itself says what is wrong. */
export function readSshSettings(command: string, args: readonly string[]): Promise<SshSettings> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    child.once('error', () => resolve(NO_WISH))
    child.once('close', (code) => resolve(code === 0 ? parseSshSettings(said) : NO_WISH))
  })
}

export function parseSshSettings(text: string): SshSettings {
  const valueOf = (keyword: string): string | undefined => new RegExp(`^${keyword} +(\\S+)`, 'im').exec(text)?.[1]
  return { aliveSeconds: Number(valueOf('serveraliveinterval') ?? 0) || 0, logLevel: valueOf('loglevel')?.toUpperCase() ?? NO_WISH.logLevel }
}

export function optionsFor({ aliveSeconds, logLevel }: SshSettings): readonly string[] {
  return [
    // Banners and notices are not for the one line that says what failed.
    ...(logLevel === NO_WISH.logLevel ? ['LogLevel=ERROR'] : []),
    // A connection that is gone without a word is noticed after a minute.
    ...(aliveSeconds === 0 ? ['ServerAliveInterval=15', 'ServerAliveCountMax=4'] : []),
  ]
}
