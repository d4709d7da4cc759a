/** Bits that flip and packs that are cut short, met by check and by restore. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Place, place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

function prepared(): { at: Place; source: string } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 40; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, 200_000))
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  return { at, source }
}

function objects(at: Place, type: string): string[] {
  return readdirSync(join(at.repo, type), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file)
  bytes[offset]! ^= 0x10
  chmodSync(file, 0o600)
  writeFileSync(file, bytes)
}

/** Without the cache, which remembers what it has seen. */
const check = (at: Place): ReturnType<Place['run']> => at.run('check', '--read-data', '--no-cache')

test.each(['packs', 'index', 'snapshots', 'keys'])('one bit anywhere in %s is found', (type) => {
  const { at } = prepared()
  if (type === 'keys') {
    writeFileSync(join(at.folder, 'second'), 'second', { mode: 0o600 })
    expect(at.run('key', 'add', '--new-password-file', join(at.folder, 'second')).code).toBe(0)
  }
  const file = objects(at, type).sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  const whole = readFileSync(file)
  for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
    flip(file, Math.floor(whole.length * share))
    const ended = check(at)
    expect(ended.code, `${type} at ${share}`).toBe(1)
    expect(ended.stderr + ended.stdout).not.toContain('bug')
    writeFileSync(file, whole)
  }
  expect(check(at)).toMatchObject({ code: 0 })
}, 120_000)

test('a flipped or short pack is named with the files that suffer, and restore saves all else', () => {
  const { at, source } = prepared()
  const pack = objects(at, 'packs').sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  const whole = readFileSync(pack)
  for (const damage of ['flip', 'cut'] as const) {
    chmodSync(pack, 0o600)
    writeFileSync(pack, whole)
    if (damage === 'flip') flip(pack, Math.floor(whole.length / 2))
    else truncateSync(pack, Math.floor(whole.length / 2))
    const checked = check(at)
    expect(checked.code).toBe(1)
    expect(checked.stdout).toContain(pack.split('/').at(-1)!)
    const suffering = [...checked.stdout.matchAll(/suffers: \w+:(\S+)/g)].map((match) => match[1]!)
    expect(suffering.length).toBeGreaterThan(0)
    const target = join(at.folder, `target-${damage}`)
    const restored = at.run('restore', `latest:${source}`, '--target', target)
    expect(restored.code).toBe(3)
    let missing = 0
    for (const name of readdirSync(source)) {
      if (readdirSync(target).includes(name)) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
      else {
        missing++
        expect(restored.stderr).toContain(`damaged: ${join(target, name)}`)
      }
    }
    expect(missing).toBeGreaterThan(0)
    expect(missing).toBeLessThan(40)
    expect(readdirSync(target).filter((name) => name.startsWith('.nacre'))).toEqual([])
  }
}, 120_000)
