import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importTar, type ImportTarEvent } from '../../src/features/tar/import-tar.ts'
import type { BackupEvent } from '../../src/snapshot/backup-types.ts'
import { PERSON } from '../repository/support.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { type SnapshotPlace, snapshotPlace } from './place.ts'

const LARGE_BYTES = 9_000_000

/** A file that is read in several segments, some that are read together, a folder and a link. */
async function prepared(): Promise<SnapshotPlace> {
  const at = await snapshotPlace()
  writeFileSync(join(at.source, 'large'), bytesOf(1, LARGE_BYTES))
  mkdirSync(join(at.source, 'folder'))
  for (const name of ['a', 'b', 'folder/c']) writeFileSync(join(at.source, name), name)
  symlinkSync('a', join(at.source, 'link'))
  return at
}

function counted(events: readonly (BackupEvent | ImportTarEvent)[]): { done: number; bytes: number } {
  const bytes = events.reduce((sum, event) => sum + (event.type === 'bytes' ? event.bytes : 0), 0)
  const done = events.reduce((sum, event) => sum + (event.type !== 'done' ? 0 : 'files' in event ? event.files : 1), 0)
  return { done, bytes }
}

test('a backup tells each file once when it is done, whatever its size, also where nothing has changed', async () => {
  await using at = await prepared()
  for (let round = 0; round < 2; round++) {
    const events: BackupEvent[] = []
    const { summary } = await at.save({ onEvent: (event) => void events.push(event) })
    expect(summary).toMatchObject({ totalFiles: 5, filesUnmodified: round === 0 ? 0 : 5 })
    expect(counted(events)).toEqual({ done: 5, bytes: summary.totalBytes })
  }
})

test('an import of a tar tells each file once when it is stored', async () => {
  await using at = await prepared()
  const events: ImportTarEvent[] = []
  const tar = execFileSync('tar', ['-c', '-C', at.source, '.'], { maxBuffer: 2 * LARGE_BYTES })
  const stream = (async function* () {
    yield new Uint8Array(tar)
  })()
  const { summary } = await importTar(at.repository, { stream, person: PERSON, threads: 0, onEvent: (event) => void events.push(event) })
  expect(summary.totalFiles).toBe(5)
  expect(counted(events)).toEqual({ done: 5, bytes: LARGE_BYTES + 'a'.length + 'b'.length + 'folder/c'.length })
})
