/** Passwords that are long in coming: who waits for one can be stopped, and nothing without end is read. */
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Place, place, PROGRAM } from '../support/nacre.ts'

const PASSWORD = 'correct horse'

/** The program, without a password from the environment. */
function started(at: Place, stdio: StdioOptions, ...args: string[]): ChildProcess {
  const { NACRE_PASSWORD: _, ...env } = at.environment
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, cwd: at.folder, stdio })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

test.each(['SIGINT', 'SIGTERM'] as const)('a password command that takes for ever is left at %s, with 130', async (signal) => {
  const at = place()
  at.run('init')
  const child = started(at, ['ignore', 'pipe', 'pipe'], 'snapshots', '--password-command', 'echo begun >&2; exec sleep 600')
  await once(child.stderr!, 'data')
  const ended = endOf(child)
  child.kill(signal)
  expect((await ended).code).toBe(130)
}, 120_000)

test('a FIFO that nobody writes to is left at SIGTERM, and gives a password when somebody does', async () => {
  const at = place()
  at.run('init')
  const fifo = join(at.folder, 'fifo')
  execFileSync('mkfifo', ['-m', '600', fifo])
  const opened = (script: string): ChildProcess => {
    const writer = spawn('sh', ['-c', `exec 3> "$1"; ${script}`, 'sh', fifo], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void writer.kill('SIGKILL'))
    return writer
  }
  const given = started(at, ['ignore', 'pipe', 'pipe'], 'snapshots', '--password-file', fifo)
  // It goes on holding the FIFO: a line is enough.
  const holder = opened(`echo "${PASSWORD}" >&3; exec sleep 600`)
  expect((await endOf(given)).code).toBe(0)
  holder.kill('SIGKILL')
  const waiting = started(at, ['ignore', 'pipe', 'pipe'], 'snapshots', '--password-file', fifo)
  // To open a FIFO waits until somebody reads from it.
  await once(opened('echo opened; exec sleep 600').stdout!, 'data')
  const ended = endOf(waiting)
  waiting.kill('SIGTERM')
  expect((await ended).code).toBe(130)
}, 120_000)

test('a line is enough where a descriptor stays open, a pipe or a socket', async () => {
  const at = place()
  at.run('init')
  const child = started(at, ['ignore', 'pipe', 'pipe', 'pipe'], 'snapshots', '--password-fd', '3')
  ;(child.stdio[3] as NodeJS.WritableStream).write(`${PASSWORD}\n`)
  expect(await endOf(child)).toMatchObject({ code: 0 })
  const asInput = started(at, ['pipe', 'pipe', 'pipe'], 'snapshots', '--password-file', '/dev/stdin')
  asInput.stdin!.write(`${PASSWORD}\n`)
  // A socket is for everybody by its mode.
  expect(await endOf(asInput)).toMatchObject({ code: 2, stderr: expect.stringContaining('can be read by others') as string })
}, 120_000)

test('a descriptor that nobody has given is refused, also where the program uses its number itself', async () => {
  const at = place()
  at.run('init')
  for (const fd of ['3', '10', '999']) {
    const ended = await endOf(started(at, ['ignore', 'pipe', 'pipe'], 'snapshots', '--password-fd', fd))
    expect(ended.code, `${fd}: ${ended.stderr}`).toBe(2)
    expect(ended.stderr).toContain(`descriptor ${fd}`)
  }
}, 120_000)

test('what has no end is no password', async () => {
  const at = place()
  at.run('init')
  const zeros = openSync('/dev/zero', 'r')
  for (const args of [['--password-command', 'cat /dev/zero'], ['--password-fd', '3']]) {
    const ended = await endOf(started(at, ['ignore', 'pipe', 'pipe', zeros], 'snapshots', ...args))
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('that is no password') as string })
  }
}, 120_000)

test('a list of paths from a FIFO is left at SIGTERM', async () => {
  const at = place()
  at.run('init')
  const fifo = join(at.folder, 'fifo')
  execFileSync('mkfifo', ['-m', '600', fifo])
  const child = spawn(process.execPath, [PROGRAM, 'backup', '--files-from', fifo], { env: at.environment, cwd: at.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const writer = spawn('sh', ['-c', 'exec 3> "$1"; echo opened; exec sleep 600', 'sh', fifo], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void [child, writer].forEach((process) => process.kill('SIGKILL')))
  await once(writer.stdout, 'data')
  const ended = endOf(child)
  child.kill('SIGTERM')
  expect((await ended).code).toBe(130)
}, 120_000)
