/** What a restore fetches: each frame once, however many windows of files share it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backend, ByteRange } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { snapshotPlace } from './place.ts'
import { look } from './trees.ts'

test('many small files are fetched without fetching any frame twice', { timeout: 60_000 }, async () => {
  await using at = await snapshotPlace(memoryBackend())
  const folders = 10
  const files = 500
  for (let folder = 0; folder < folders; folder++) {
    mkdirSync(join(at.source, String(folder)))
    for (let i = 0; i < files; i++) writeFileSync(join(at.source, String(folder), `file ${i}`), bytesOf(folder * files + i, 2500))
  }
  await at.save()
  const fetched: { readonly name: string; readonly range: ByteRange }[] = []
  const backend: Backend = {
    ...at.backend,
    load(ref, range, options) {
      if (ref.type === 'packs' && range !== undefined) fetched.push({ name: ref.name, range })
      return at.backend.load(ref, range, options)
    },
  }
  const { target, problems } = await at.restoreSource(undefined, {}, await at.open(backend))
  expect(problems).toEqual([])
  expect(look(target)).toEqual(look(at.source))
  fetched.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.range.offset - b.range.offset))
  for (const [i, { name, range }] of fetched.entries()) {
    const before = fetched[i - 1]
    if (before?.name === name) expect(before.range.offset + before.range.length, `${name} at ${range.offset}`).toBeLessThanOrEqual(range.offset)
  }
  const bytes = fetched.reduce((sum, { range }) => sum + range.length, 0)
  expect(bytes).toBeLessThan(folders * files * 2500 * 1.1)
  // In few requests.
  expect(fetched.length).toBeLessThan(20)
})
