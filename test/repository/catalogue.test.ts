import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Catalogue, openCatalogue } from '../../src/repository/catalogue/catalogue.ts'
import { cacheEntries, clearCacheEntry } from '../../src/repository/catalogue/cache-folder.ts'
import { decodeLocation, encodeLocation, packNumbersOf } from '../../src/repository/catalogue/location-record.ts'
import { decodePackRow, encodePackRow, packRowOf } from '../../src/repository/catalogue/pack-row.ts'
import { blobEntries, type PackEntry } from '../../src/repository/pack-entry.ts'
import { toHex } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { idOf, packEntryOf } from './support.ts'

let root: string
let folder: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nacre-catalogue-'))
  folder = join(root, 'cache', 'ab'.repeat(16))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** Of an index object; any will do. */
const SIZE = 1234
const indexName = (seed: number, group = 0): string => `${group}/${toHex(bytesOf(seed + 5_000_000, 32))}`

function expectKnown(catalogue: Catalogue, entry: PackEntry): void {
  for (const blob of blobEntries(entry)) {
    expect(catalogue.has(blob.id)).toBe(true)
    const at = catalogue.locate(blob.id).find(({ pack }) => pack.packId === entry.packId)
    expect(at).toMatchObject({
      frameOffset: blob.frame.offset,
      storedBytes: blob.frame.storedBytes,
      plainBytes: blob.frame.plainBytes,
      offsetInFrame: blob.offsetInFrame,
      length: blob.length,
      codec: blob.frame.codec,
      blobType: blob.frame.blobType,
      envelope: blob.frame.envelope,
    })
    expect(at?.pack.sizeBytes).toBe(entry.sizeBytes)
    expect(at?.pack.envelopes).toEqual(entry.envelopes)
  }
}

describe('the catalogue', () => {
  test('knows nothing at first', async () => {
    await using catalogue = await openCatalogue(folder)
    expect(catalogue.has(idOf(1))).toBe(false)
    expect(catalogue.locate(idOf(1))).toEqual([])
    expect([...catalogue.absorbed.keys()]).toEqual([])
    expect(catalogue.wiped).toBeUndefined()
  })

  test('knows how large each index object was, and takes one of which it does not know that for new', async () => {
    {
      await using catalogue = await openCatalogue(folder)
      await catalogue.absorb(indexName(1), 5_000_000_000, [packEntryOf(1)])
      await catalogue.absorb(indexName(2), SIZE, [packEntryOf(2)])
    }
    const { Level } = await import('level')
    const db = new Level<Uint8Array, Uint8Array>(join(folder, 'catalogue-0'), { keyEncoding: 'view', valueEncoding: 'view' })
    await db.open()
    for await (const [key, value] of db.iterator()) if (key[0] === 'x'.charCodeAt(0) && toHex(key).endsWith(indexName(2).slice(2))) await db.put(key, value.slice(0, 4))
    await db.close()
    await using catalogue = await openCatalogue(folder)
    expect([...catalogue.absorbed]).toEqual([[indexName(1), 5_000_000_000]])
    await catalogue.absorb(indexName(2), SIZE, [packEntryOf(2)])
    for (const entry of [packEntryOf(1), packEntryOf(2)]) expectKnown(catalogue, entry)
  })

  test('knows where each blob of an index object lies, and still does when it is opened again', async () => {
    const entries = [packEntryOf(1), packEntryOf(2)]
    {
      await using catalogue = await openCatalogue(folder)
      await catalogue.absorb(indexName(1), SIZE, entries)
      for (const entry of entries) expectKnown(catalogue, entry)
    }
    await using again = await openCatalogue(folder)
    for (const entry of entries) expectKnown(again, entry)
    expect([...again.absorbed.keys()]).toEqual([indexName(1)])
    expect(again.has(idOf(77))).toBe(false)
  })

  test('knows all locations of a blob, of one index object and of several', async () => {
    const shared = [idOf(1), idOf(2)]
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1, shared), packEntryOf(2, shared)])
    await catalogue.absorb(indexName(2), SIZE, [packEntryOf(3, shared)])
    expect(catalogue.locate(idOf(1)).map(({ pack }) => pack.packId)).toEqual([1, 2, 3].map((seed) => packEntryOf(seed).packId))
  })

  test('takes an index object in once', async () => {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    expect(catalogue.locate(idOf(1000))).toHaveLength(1)
    expect([...catalogue.packs()]).toHaveLength(1)
  })

  test('forgets what index objects stated that are gone, and nothing else', async () => {
    const shared = [idOf(1), idOf(2)]
    {
      await using catalogue = await openCatalogue(folder)
      await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1, shared), packEntryOf(2)])
      await catalogue.absorb(indexName(2), SIZE, [packEntryOf(3, shared)])
      await catalogue.drop([indexName(1)])
      expect(catalogue.locate(idOf(1)).map(({ pack }) => pack.packId)).toEqual([packEntryOf(3).packId])
      expect(catalogue.has(idOf(2000))).toBe(false)
      expect([...catalogue.absorbed.keys()]).toEqual([indexName(2)])
    }
    await using again = await openCatalogue(folder)
    expect(again.locate(idOf(1)).map(({ pack }) => pack.packId)).toEqual([packEntryOf(3).packId])
    expect(again.has(idOf(2000))).toBe(false)
  })

  test('never gives a dropped object\'s numbers to another, so old rows mean nothing new', async () => {
    for (let round = 0; round < 4; round++) {
      await using catalogue = await openCatalogue(folder)
      await catalogue.absorb(indexName(round), SIZE, [packEntryOf(round)])
      expectKnown(catalogue, packEntryOf(round))
      for (let before = 0; before < round; before++) expect(catalogue.has(idOf(before * 1000))).toBe(false)
      await catalogue.drop([indexName(round)])
    }
    await using again = await openCatalogue(folder)
    for (let round = 0; round < 4; round++) expect(again.locate(idOf(round * 1000))).toEqual([])
    expect([...again.packs()]).toEqual([])
  })

  test('absorbs an object again that was dropped', async () => {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    await catalogue.drop([indexName(1)])
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    expectKnown(catalogue, packEntryOf(1))
    expect(catalogue.locate(idOf(1000))).toHaveLength(1)
  })

  test('lets only live packs be referred to, and all that are absorbed later', async () => {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1), packEntryOf(2)])
    expect(catalogue.setLive((pack) => pack.packId !== packEntryOf(1).packId)).toBe(1)
    expect(catalogue.has(idOf(1000))).toBe(false)
    expect(catalogue.locate(idOf(1000))).toEqual([])
    expect(catalogue.has(idOf(2000))).toBe(true)
    await catalogue.absorb(indexName(2), SIZE, [packEntryOf(3, [idOf(1000)])])
    expect(catalogue.locate(idOf(1000)).map(({ pack }) => pack.packId)).toEqual([packEntryOf(3).packId])
    expect(catalogue.setLive(() => true)).toBe(0)
    expect(catalogue.locate(idOf(1000))).toHaveLength(2)
  })

  test('forgets which snapshots were whole as soon as an index object is gone', async () => {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    for (const table of ['whole', 'tree', 'snapshot'] as const) catalogue.rows.put(table, bytesOf(1, 16), Uint8Array.of(7))
    await catalogue.drop([indexName(1)])
    expect(catalogue.rows.get('whole', bytesOf(1, 16))).toBeUndefined()
    for (const table of ['tree', 'snapshot'] as const) expect(catalogue.rows.get(table, bytesOf(1, 16))?.[0]).toBe(7)
  })

  test('keeps rows that were put, over many of them, when it is closed', async () => {
    {
      await using catalogue = await openCatalogue(folder)
      for (let i = 0; i < 1500; i++) catalogue.rows.put('tree', idOf(i), bytesOf(i, 20))
    }
    await using again = await openCatalogue(folder)
    for (let i = 0; i < 1500; i++) expect(toHex(again.rows.get('tree', idOf(i))!)).toBe(toHex(bytesOf(i, 20)))
    expect(again.rows.get('tree', idOf(1500))).toBeUndefined()
    expect(again.rows.get('snapshot', idOf(1))).toBeUndefined()
  })

  test('gives every blob in the order of the ids, with all its locations', async () => {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1), packEntryOf(2, [idOf(1000), idOf(5)])])
    catalogue.setLive(() => false)
    const seen: string[] = []
    for await (const { id, locations } of catalogue.blobs()) {
      seen.push(toHex(id))
      expect(locations.length).toBe(toHex(id) === toHex(idOf(1000)) ? 2 : 1)
    }
    const wanted = [...Array.from({ length: 5 }, (_, i) => idOf(1000 + i)), idOf(5)].map(toHex).sort()
    expect(seen).toEqual(wanted)
  })

  test('agrees with a model over any run of absorbing, dropping and opening again', async () => {
    const step = fc.tuple(fc.constantFrom('absorb', 'absorb', 'drop', 'reopen'), fc.nat(5))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const own = await mkdtemp(join(root, 'model-'))
        let catalogue = await openCatalogue(own)
        const model = new Set<number>()
        const idsOf = (number: number): Uint8Array[] => [idOf(number), idOf(number + 1), idOf(number % 2)]
        try {
          for (const [what, number] of steps) {
            if (what === 'absorb') {
              await catalogue.absorb(indexName(number), SIZE, [packEntryOf(number, [...new Map(idsOf(number).map((id) => [toHex(id), id])).values()])])
              model.add(number)
            } else if (what === 'drop') {
              await catalogue.drop([indexName(number)])
              model.delete(number)
            } else {
              await catalogue[Symbol.asyncDispose]()
              catalogue = await openCatalogue(own)
            }
          }
          for (let blob = 0; blob < 8; blob++) {
            const wanted = [...model].filter((number) => idsOf(number).some((id) => toHex(id) === toHex(idOf(blob)))).map((number) => packEntryOf(number).packId)
            expect(new Set(catalogue.locate(idOf(blob)).map(({ pack }) => pack.packId))).toEqual(new Set(wanted))
            expect(catalogue.locate(idOf(blob))).toHaveLength(wanted.length)
          }
          expect(new Set(catalogue.absorbed.keys())).toEqual(new Set([...model].map((number) => indexName(number))))
        } finally {
          await catalogue[Symbol.asyncDispose]()
        }
      }),
      { numRuns: 25 },
    )
  })
})

describe('a catalogue\'s folder', () => {
  test('is for its owner alone, and says to others that it is a cache', async () => {
    await using catalogue = await openCatalogue(folder)
    expect(catalogue.path).toBe(join(folder, 'catalogue-0'))
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(root, 'cache', 'CACHEDIR.TAG'), 'utf8')).toMatch(/^Signature: 8a477f597d28d172789f06886806bc55/)
  })

  test('gives two at once different numbers, and each is found warm again', async () => {
    {
      await using first = await openCatalogue(folder)
      await using second = await openCatalogue(folder)
      await using third = await openCatalogue(folder)
      expect([first.path, second.path, third.path].map((path) => path.slice(-1))).toEqual(['0', '1', '2'])
      await first.absorb(indexName(1), SIZE, [packEntryOf(1)])
      await second.absorb(indexName(2), SIZE, [packEntryOf(2)])
    }
    await using first = await openCatalogue(folder)
    await using second = await openCatalogue(folder)
    expect([...first.absorbed.keys()]).toEqual([indexName(1)])
    expect([...second.absorbed.keys()]).toEqual([indexName(2)])
    expect(await cacheEntries(join(root, 'cache'))).toMatchObject([{ catalogues: 3 }])
  })

  test('gives a number back as soon as its catalogue is closed', async () => {
    const first = await openCatalogue(folder)
    await using second = await openCatalogue(folder)
    await first[Symbol.asyncDispose]()
    await using third = await openCatalogue(folder)
    expect([second.path.slice(-1), third.path.slice(-1)]).toEqual(['1', '0'])
  })

  test('is not cleared while a catalogue of it is open', async () => {
    await using first = await openCatalogue(folder)
    await (await openCatalogue(folder))[Symbol.asyncDispose]()
    expect(await clearCacheEntry(join(root, 'cache'), 'ab'.repeat(16))).toEqual({ removed: 1, inUse: 1, frames: 0 })
    await first.absorb(indexName(1), SIZE, [packEntryOf(1)])
    expectKnown(first, packEntryOf(1))
  })
})

describe('a damaged catalogue', () => {
  async function filled(): Promise<string> {
    await using catalogue = await openCatalogue(folder)
    await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
    return catalogue.path
  }

  test('is wiped and says why, when LevelDB cannot open it', async () => {
    for (const damage of ['CURRENT', 'MANIFEST'] as const) {
      const path = await filled()
      const file = readdirSync(path).find((name) => name.startsWith(damage))!
      writeFileSync(join(path, file), 'this is no database')
      await using catalogue = await openCatalogue(folder)
      expect(catalogue.wiped).toBeTypeOf('string')
      expect(catalogue.path).toBe(path)
      expect([...catalogue.absorbed.keys()]).toEqual([])
      expect(catalogue.has(idOf(1000))).toBe(false)
      await catalogue.absorb(indexName(1), SIZE, [packEntryOf(1)])
      expectKnown(catalogue, packEntryOf(1))
    }
  })

  test('is wiped when all of its files were overwritten', async () => {
    const path = await filled()
    for (const name of readdirSync(path)) writeFileSync(join(path, name), bytesOf(1, 5000))
    await using catalogue = await openCatalogue(folder)
    expect(catalogue.wiped).toBeTypeOf('string')
    expect([...catalogue.absorbed.keys()]).toEqual([])
  })

  test('is wiped when another version of nacre made it', async () => {
    const path = await filled()
    const { Level } = await import('level')
    const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
    await db.put(Uint8Array.of(0x76), Uint8Array.of(99))
    await db.close()
    await using catalogue = await openCatalogue(folder)
    expect(catalogue.wiped).toContain('another version')
    expect([...catalogue.absorbed.keys()]).toEqual([])
  })

  test('is wiped when a row of it cannot be read', async () => {
    const path = await filled()
    const { Level } = await import('level')
    const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
    await db.put(Uint8Array.of(0x70, 0, 0, 0, 0), Uint8Array.of(0xff))
    await db.close()
    await using catalogue = await openCatalogue(folder)
    expect(catalogue.wiped).toBeTypeOf('string')
  })

  test('never gives another place for a blob when bits of its rows flipped', async () => {
    const path = await filled()
    const { Level } = await import('level')
    const key = new Uint8Array([0x62, ...idOf(1000)])
    const whole = await (async () => {
      const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
      const value = await db.get(key)
      await db.close()
      return value!
    })()
    for (const bit of [0, 33, 70, 100, 130, 165, 192, 200, 210, 222]) {
      const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
      await db.put(key, flipped(whole, bit))
      await db.close()
      await using catalogue = await openCatalogue(folder)
      expect(catalogue.locate(idOf(1000)), `bit ${bit}`).toEqual([])
    }
  })
})

describe('a process that is killed while it absorbs', () => {
  const built = fileURLToPath(new URL('../../dist/repository/catalogue/catalogue.js', import.meta.url))

  test.skipIf(!existsSync(built))('leaves a catalogue that opens, and knows whole index objects or nothing of them', async () => {
    // The child absorbs one index object after another, and is killed some turns of its event loop after it has begun one.
    const script = `
      import { openCatalogue } from ${JSON.stringify(built)}
      const catalogue = await openCatalogue(process.argv[1])
      const [last, turns] = process.argv.slice(2).map(Number)
      for (let i = 0; ; i++) {
        const id = (n) => { const bytes = new Uint8Array(32); new DataView(bytes.buffer).setUint32(0, i * 1000 + n); return bytes }
        const blobs = new Uint8Array(36 * 500)
        for (let n = 0; n < 500; n++) blobs.set(id(n), n * 36)
        const name = '0/' + i.toString(16).padStart(64, '0')
        const absorbing = catalogue.absorb(name, 1234, [{ packId: i.toString(16).padStart(64, '0'), sizeBytes: 100, session: new Uint8Array(16), envelopes: [], blobs,
          frames: [{ offset: 60, storedBytes: 40, plainBytes: 0, blobCount: 500, codec: 0, blobType: 'data', envelope: 0 }] }])
        if (i === last) {
          for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
          process.kill(process.pid, 'SIGKILL')
        }
        await absorbing
      }`
    let most = 0
    for (const [last, turns] of [[0, 0], [3, 1], [8, 2], [20, 5]]) {
      const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script, folder, String(last), String(turns)], { encoding: 'utf8' })
      expect(ended.signal, ended.stderr).toBe('SIGKILL')
      await using catalogue = await openCatalogue(folder)
      expect(catalogue.wiped).toBeUndefined()
      for (const name of catalogue.absorbed.keys()) {
        const i = Number.parseInt(name.slice(2), 16)
        most = Math.max(most, i + 1)
        for (let n = 0; n < 500; n += 7) {
          const id = new Uint8Array(32)
          new DataView(id.buffer).setUint32(0, i * 1000 + n)
          expect(catalogue.has(id)).toBe(true)
        }
      }
      expect([...catalogue.packs()]).toHaveLength(catalogue.absorbed.size)
    }
    expect(most).toBeGreaterThan(0)
  }, 120_000)
})

describe('rows', () => {
  test('of locations come back as they were, one behind another', () => {
    const blobs = [...blobEntries(packEntryOf(1))]
    const records = new Uint8Array(Buffer.concat(blobs.map((blob, i) => encodeLocation(i * 1_000_000, blob))))
    expect(packNumbersOf(records)).toEqual(blobs.map((_, i) => i * 1_000_000))
    for (const [i, blob] of blobs.entries()) expect(decodeLocation(records, i)).toMatchObject({ packNumber: i * 1_000_000, length: blob.length, offsetInFrame: blob.offsetInFrame, blobType: blob.frame.blobType })
  })

  test('of locations are not believed when any bit of them differs or they are cut short', () => {
    const [blob] = blobEntries(packEntryOf(1))
    const record = encodeLocation(3, blob!)
    for (let bit = 0; bit < record.length * 8; bit++) expect(packNumbersOf(flipped(record, bit))).toBeUndefined()
    expect(packNumbersOf(record.subarray(1))).toBeUndefined()
    expect(packNumbersOf(new Uint8Array(0))).toEqual([])
  })

  test('of packs come back as they were', () => {
    const row = packRowOf(packEntryOf(1), 12, 7)
    expect(decodePackRow(encodePackRow(row))).toEqual(row)
  })
})
