/** The whole program over the real rclone: what it cannot do is said, and another way in knows of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Ended, lastJson, place, PROGRAM } from '../support/nacre.ts'
import { hasRclone, needsRclone, rcloneEnvironment } from '../support/rclone.ts'

const TIME = { timeout: 180_000 }

function done(ended: Ended): Ended {
  expect(ended.code, ended.stderr).toBe(0)
  return ended
}

describe.skipIf(!hasRclone)(`nacre by rclone${needsRclone}`, () => {
  test('a repository lives there; prune asks for --exclusive, and by its path waits for what no fence stops', TIME, async () => {
    const at = place()
    const path = join(at.folder, 'far', 'repo')
    const environment = { ...at.environment, NACRE_REPOSITORY: `rclone:disk:${path}`, ...rcloneEnvironment(at.folder) }
    const far = (...args: string[]): Ended => at.runWith(environment, ...args)
    const near = (...args: string[]): Ended => at.runWith({ NACRE_REPOSITORY: path }, ...args)
    const source = join(at.folder, 'source')
    mkdirSync(source)
    for (let i = 0; i < 3; i++) writeFileSync(join(source, `file-${i}`), crypto.getRandomValues(new Uint8Array(60_000)))

    expect(done(far('init')).stderr).toMatch(/rclone cannot create an object only if it is absent: .*--exclusive/)
    expect(lastJson(done(far('probe', '--json')).stdout)).toMatchObject({ location: `rclone:disk:${path}`, suitable: true, unguarded: expect.stringContaining('rclone') as string })
    done(far('backup', source))
    done(near('backup', source))
    const [newest] = JSON.parse(done(far('snapshots', '--json')).stdout) as { id: string }[]
    expect(done(far('ls', `latest:${source}`)).stdout).toContain('file-2')
    done(far('forget', newest!.id))
    const refused = far('prune')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^nacre: this storage cannot be pruned safely while others use it: rclone cannot .*--exclusive.*\n$/) as string])

    // A backup by rclone that dies leaves a session that no fence can stop, for all that is known.
    const child = spawn(process.execPath, [PROGRAM, 'backup', '--stdin', '--stdin-filename', 'x'], { env: environment, stdio: ['pipe', 'ignore', 'ignore'] })
    const ended = once(child, 'exit')
    const sessions = join(path, 'sessions', '0')
    while (child.exitCode === null && !(existsSync(sessions) && readdirSync(sessions).some((name) => !name.startsWith('.')))) await new Promise((resolve) => setTimeout(resolve, 10))
    child.kill('SIGKILL')
    await ended
    const [session] = JSON.parse(done(near('sessions', '--json')).stdout) as { id: string; unguarded: boolean }[]
    expect(session).toMatchObject({ unguarded: true })
    const fenced = near('sessions', 'fence', session!.id)
    expect([fenced.code, fenced.stderr]).toEqual([1, expect.stringMatching(/^nacre: session .* cannot be fenced: .*--exclusive.*\n$/) as string])
    const waiting = near('prune', '--fence')
    expect([waiting.code, waiting.stdout]).toEqual([11, expect.stringContaining('--exclusive ends it') as string])

    expect(done(far('prune', '--exclusive')).stderr).toContain('swept 1 snapshot')
    expect(JSON.parse(done(far('sessions', '--json')).stdout)).toEqual([])
    done(far('check', '--read-data'))
    const target = join(at.folder, 'target')
    done(far('restore', `latest:${source}`, '--target', target))
    for (const name of readdirSync(source)) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
  })
})
