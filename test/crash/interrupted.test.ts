/** Backups that are asked to stop: what they have stored is not stored again. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastJson, type Place, place, PROGRAM } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

const PIECE_BYTES = 4 * 1024 * 1024
/** Packs that hang about in the repository's folder, each of 32 MiB. */
const PACKS = 3

function packs(at: Place): number {
  const folder = join(at.repo, 'packs')
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /^..\/[0-9a-f]{64}$/.test(name)).length : 0
}

const lines = (text: string): Record<string, unknown>[] => text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)

/** Feeds a command of which the input never ends, until packs of it are stored; what was fed. */
async function stoppedAfterPacks(at: Place, ...args: string[]): Promise<{ fed: Buffer; code: number | null; events: Record<string, unknown>[] }> {
  const child = spawn(process.execPath, [PROGRAM, ...args, '--json'], { env: at.environment, cwd: at.folder, stdio: ['pipe', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stdin.on('error', () => undefined)
  const pieces: Buffer[] = []
  while (packs(at) < PACKS) {
    const piece = seededBytes(`piece ${pieces.length}`, PIECE_BYTES)
    pieces.push(piece)
    if (!child.stdin.write(piece)) await once(child.stdin, 'drain')
  }
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number | null]
  return { fed: Buffer.concat(pieces), code, events: lines(stdout) }
}

test('a backup that SIGINT stops says what it keeps, and the next one does not store it again', async () => {
  const at = place()
  at.run('init')
  const { fed, code, events } = await stoppedAfterPacks(at, 'backup', '--stdin')
  expect(code).toBe(130)
  expect(events.at(-1)).toMatchObject({ type: 'error', code: 'INTERRUPTED' })
  const kept = Number(events.find(({ type }) => type === 'kept')?.['bytes'])
  // The last of them may have come too late.
  expect(kept).toBeGreaterThan((PACKS - 1) * 32 * 1024 * 1024)
  expect(JSON.parse(at.run('sessions', '--json').stdout)).toEqual([])
  const again = spawnSync(process.execPath, [PROGRAM, 'backup', '--stdin', '--json'], { env: at.environment, cwd: at.folder, input: fed, encoding: 'utf8' })
  expect(again.status).toBe(0)
  expect(lastJson(again.stdout)).toMatchObject({ total_bytes: fed.length })
  expect(Number(lastJson(again.stdout)['data_added_stored'])).toBeLessThan(fed.length - kept + 1024 * 1024)
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
}, 240_000)

test('a backup that is stopped before it has stored anything does not say that something is kept', async () => {
  const at = place()
  at.run('init')
  const child = spawn(process.execPath, [PROGRAM, 'backup', '--stdin'], { env: at.environment, cwd: at.folder, stdio: ['pipe', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  // More than a pipe holds: when it has gone, the backup is reading.
  if (!child.stdin.write(Buffer.alloc(1024 * 1024))) await once(child.stdin, 'drain')
  child.kill('SIGTERM')
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(130)
  expect(stderr).toBe('nacre: interrupted by SIGTERM\n')
}, 120_000)
