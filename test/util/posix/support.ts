/** Both ways of making the calls, so that one test holds for each, and a folder to make them in. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, vi } from 'vitest'

export type Way = 'native' | 'fallback'
export const WAYS: readonly Way[] = ['native', 'fallback']

/** All calls, from modules of their own that have decided for that way. */
export async function load(way: Way) {
  vi.resetModules()
  vi.stubEnv('NACRE_POSIX', way === 'fallback' ? 'fs' : '')
  const posix = {
    ...(await import('../../../src/util/posix/attributes.ts')),
    ...(await import('../../../src/util/posix/create.ts')),
    ...(await import('../../../src/util/posix/directory.ts')),
    ...(await import('../../../src/util/posix/open.ts')),
    ...(await import('../../../src/util/posix/owners.ts')),
    ...(await import('../../../src/util/posix/read-write.ts')),
    ...(await import('../../../src/util/posix/seek-data.ts')),
    ...(await import('../../../src/util/posix/stat.ts')),
    ...(await import('../../../src/util/posix/times.ts')),
    ...(await import('../../../src/util/posix/xattrs.ts')),
    ...(await import('../../../src/util/posix/fallback.ts')),
  }
  const { native } = posix.posixCapabilities()
  vi.unstubAllEnvs()
  if (native !== (way === 'native')) throw new Error(`not the ${way} way: ${posix.posixCapabilities().missing[0]}`)
  return posix
}

export type Posix = Awaited<ReturnType<typeof load>>

/** A new folder, removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-posix-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function bytes(text: string): Buffer {
  return Buffer.from(text)
}

export interface Thrown {
  message: string
  code?: unknown
  path?: unknown
}

/** What the call throws. */
export function thrown(run: () => unknown): Thrown {
  try {
    run()
  } catch (error) {
    if (error instanceof Error) return { ...error, message: error.message }
    throw error
  }
  throw new Error('nothing was thrown')
}
