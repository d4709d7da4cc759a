/** Runs the built program, as a user does: a process of its own, with nothing of ours in its environment. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

export const PROGRAM = resolve(import.meta.dirname, '../../dist/program/main.js')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Place {
  readonly folder: string
  readonly repo: string
  readonly environment: Record<string, string>
  run(...args: string[]): Ended
  runWith(environment: Record<string, string | undefined>, ...args: string[]): Ended
}

/** A folder of the test's own, with a place for a repository, a cache and a password. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function place(): Place {
  const folder = temporaryFolder()
  const repo = join(folder, 'repo')
  const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, NACRE_REPOSITORY: repo, NACRE_PASSWORD: 'correct horse', NACRE_CACHE_DIR: join(folder, 'cache') }
  const runWith = (changes: Record<string, string | undefined>, ...args: string[]): Ended => {
    const env = Object.fromEntries(Object.entries({ ...environment, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined))
    const child = spawnSync(process.execPath, [PROGRAM, ...args], { env, cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
    return { code: child.status, stdout: child.stdout, stderr: child.stderr }
  }
  return { folder, repo, environment, runWith, run: (...args) => runWith({}, ...args) }
}

export function start(at: Place, ...args: string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [PROGRAM, ...args], { env: at.environment, cwd: at.folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The last line of JSON events. */
export function lastJson(text: string): Record<string, unknown> {
  return JSON.parse(text.trim().split('\n').at(-1)!) as Record<string, unknown>
}
