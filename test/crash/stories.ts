/** Repositories on disk that are made once and begun with again and again, and ways to change their source. */
import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createLocalRoot, localBackend } from '../../src/backend/local.ts'
import { createRepository } from '../../src/repository/repository.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { CHEAP_KDF, PERSON } from '../repository/support.ts'
import { running } from '../support/async-nacre.ts'
import type { Place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { createWitness, snapshotsIn, type Witness } from './witness.ts'

export interface Story {
  readonly source: string
  readonly witness: Witness
  /** Back to how it began: repository, cache and source. */
  begin(): Promise<void>
}

const FILES = 24

/** Puts other bytes into some files, adds to others, and a large one is new each time. */
export function change(source: string, version: string): void {
  const first = [...version].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  for (let i = 0; i < 8; i++) writeFileSync(join(source, `file-${(first + i * 5) % FILES}`), seededBytes(`${version} ${i}`, 20_000))
  appendFileSync(join(source, `file-${(first + 3) % FILES}`), version)
  writeFileSync(join(source, 'large'), seededBytes(`large ${version}`, 700_000))
}

export async function run(at: Place, ...args: string[]): Promise<string> {
  const ended = await running(at, ...args)
  expect(ended, args.join(' ')).toMatchObject({ code: 0 })
  return ended.stdout
}

/**
 * Three snapshots, of which `forgets` are forgotten: a prune then has packs to delete and to write
 * anew, a snapshot to sweep and index objects to replace.
 */
export async function tell(at: Place, forgets: number): Promise<Story> {
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < FILES; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, 20_000))
  const begun = join(at.folder, 'begun')
  const copies: string[] = []
  const cache = at.environment['NACRE_CACHE_DIR']!
  await init(at)
  for (const version of ['one', 'two', 'three']) {
    change(source, version)
    await run(at, 'backup', source, '--threads', '1')
    copies.push(join(begun, version))
    cpSync(source, copies.at(-1)!, { recursive: true })
  }
  // The oldest first.
  const byTime = (await snapshotsIn(at)).map(({ id }) => id)
  if (forgets > 0) await run(at, 'forget', ...byTime.slice(0, forgets))
  for (const [name, from] of Object.entries({ repo: at.repo, cache, source })) cpSync(from, join(begun, name), { recursive: true })
  const witness = createWitness(at, source)
  const begin = async (): Promise<void> => {
    for (const [name, to] of Object.entries({ repo: at.repo, cache, source })) {
      rmSync(to, { recursive: true, force: true })
      cpSync(join(begun, name), to, { recursive: true })
    }
    witness.reset()
    byTime.slice(forgets).forEach((id, i) => witness.remember(id, copies[i + forgets]!))
  }
  await begin()
  return { source, witness, begin }
}

/** A repository whose password costs nothing to try: it is opened again and again. */
export async function init(at: Place): Promise<void> {
  await createLocalRoot(at.repo)
  await createRepository({ backend: await localBackend(at.repo), password: utf8(at.environment['NACRE_PASSWORD']!), person: PERSON, kdf: CHEAP_KDF })
}
