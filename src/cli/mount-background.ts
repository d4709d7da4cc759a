/**
 * A mount that outlives its terminal: the same command once more, in a session of its own. The
 * password goes to it by a pipe, and by another it says that it has mounted; what it has to say
 * later goes to a file.
 */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { textFields } from '../index.ts'
import type { Context } from './command.ts'
import { displayPath } from './display.ts'
import { EXIT } from './exit-codes.ts'
import type { Output } from './output.ts'

const PASSWORD_FD = 3
const READY_FD = 4
/** Tells a process that it is such a one. */
const READY_VARIABLE = 'NACRE_MOUNT_READY_FD'
const LOG = 'mount.log'

export async function mountInBackground(context: Context): Promise<number> {
  const { output, cacheFolder } = context
  const location = context.location()
  const password = await context.password()
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 })
  const logPath = join(cacheFolder, LOG)
  const log = openSync(logPath, 'a+', 0o600)
  const logStart = fstatSync(log).size
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...childArguments(process.argv.slice(2))], {
    detached: true,
    env: { ...process.env, NACRE_REPOSITORY: location, [READY_VARIABLE]: String(READY_FD) },
    stdio: ['ignore', log, log, 'pipe', 'pipe'],
  })
  const [, , , passwords, ready] = child.stdio
  // It may end before it reads.
  passwords?.on('error', () => undefined)
  ;(passwords as Writable).end(Buffer.concat([password, Buffer.from('\n')]))
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? EXIT.failed)))
  const said = new Promise<string>((resolve) => {
    let text = ''
    ready?.on('data', (bytes: Buffer) => (text += bytes.toString()))
    ready?.once('close', () => resolve(text))
  })
  const path = await said
  if (path === '') {
    const code = await ended
    const lines = Buffer.alloc(Math.max(0, Math.min(fstatSync(log).size - logStart, 64 * 1024)))
    if (lines.length > 0) readSync(log, lines, 0, lines.length, logStart)
    output.warn(lines.toString().trim() || `nacre: the mount ended with ${code} and said nothing`)
    closeSync(log)
    return code === EXIT.done ? EXIT.failed : code
  }
  closeSync(log)
  // What is open to it would keep us here as long as it lives.
  passwords?.destroy()
  ready?.destroy()
  child.unref()
  const bytes = Buffer.from(path, 'hex')
  if (output.isJson) output.json({ type: 'mounted', ...textFields('path', bytes), pid: child.pid })
  else output.info(`mounted on ${displayPath(bytes)} by process ${child.pid}, which writes its log to ${logPath}; "nacre unmount ${displayPath(bytes)}" ends it`)
  return EXIT.done
}

/** The same words but for what is done already. */
function childArguments(words: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--background' || word.startsWith('--password-fd=')) continue
    if (word === '--password-fd') i++
    else kept.push(word)
  }
  const dashes = kept.indexOf('--')
  kept.splice(dashes === -1 ? kept.length : dashes, 0, `--password-fd=${PASSWORD_FD}`)
  return kept
}

/** Says that it is mounted: to people, or to the process that waits for it. */
export function announceMount(output: Output, path: Uint8Array): void {
  const fd = process.env[READY_VARIABLE]
  if (fd !== undefined) {
    delete process.env[READY_VARIABLE]
    writeSync(Number(fd), Buffer.from(path).toString('hex'))
    closeSync(Number(fd))
  } else if (output.isJson) output.json({ type: 'mounted', ...textFields('path', path), pid: process.pid })
  else output.info(`mounted on ${displayPath(path)}; Ctrl-C or "nacre unmount ${displayPath(path)}" ends it`)
}
