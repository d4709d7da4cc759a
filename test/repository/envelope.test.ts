import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/codec/cbor.ts'
import { type DataKey, ENVELOPE_BOX, ENVELOPE_SYMMETRIC, type Envelope, envelopesFromCbor, envelopesToCbor, newDataKey, openEnvelopes, wrapDataKey } from '../../src/repository/envelope.ts'
import { toHex } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { otherOwner, owner, REPOSITORY_ID, stranger, writer, WRITER_GROUP } from './support.ts'

const dataKey = newDataKey(REPOSITORY_ID)
const own = wrapDataKey(owner, 0, dataKey)
const boxed = wrapDataKey(writer, WRITER_GROUP, dataKey)

function expectKey(opened: DataKey, wanted: DataKey): void {
  expect([toHex(opened.id), toHex(opened.key)]).toEqual([toHex(wanted.id), toHex(wanted.key)])
}

describe('an envelope', () => {
  test('of an owner is symmetric, and opens for the owner', () => {
    expect(own.kind).toBe(ENVELOPE_SYMMETRIC)
    expectKey(openEnvelopes(owner, 0, [own]), dataKey)
  })

  test('of a writer is a box, opens for the owner, and not for the writer that made it', () => {
    expect(boxed.kind).toBe(ENVELOPE_BOX)
    expectKey(openEnvelopes(owner, WRITER_GROUP, [boxed]), dataKey)
    expect(expectRefused(() => openEnvelopes(writer, WRITER_GROUP, [boxed]), 'CORRUPT').message).toContain('may write but not read')
  })

  test('does not open for the owner of another repository', () => {
    for (const [group, envelope] of [[0, own], [WRITER_GROUP, boxed]] as const) {
      expectRefused(() => openEnvelopes(otherOwner, group, [envelope]), 'CORRUPT')
      expectRefused(() => openEnvelopes(stranger, group, [envelope]), 'CORRUPT')
    }
  })

  test('is bound to its group', () => {
    expectRefused(() => openEnvelopes(owner, 1, [own]), 'CORRUPT')
    expectRefused(() => openEnvelopes(owner, 0, [boxed]), 'CORRUPT')
  })

  test('is refused when any bit of its bytes or of its data key\'s id differs', () => {
    for (const [group, envelope] of [[0, own], [WRITER_GROUP, boxed]] as const) {
      for (let bit = 0; bit < envelope.bytes.length * 8; bit += 3) expectRefused(() => openEnvelopes(owner, group, [{ ...envelope, bytes: flipped(envelope.bytes, bit) }]), 'CORRUPT')
      for (let bit = 0; bit < 128; bit += 9) expectRefused(() => openEnvelopes(owner, group, [{ ...envelope, dataKeyId: flipped(envelope.dataKeyId, bit) }]), 'CORRUPT')
    }
  })

  test('that wraps another key than its id commits to is refused', () => {
    const lying = wrapDataKey(owner, 0, { id: dataKey.id, key: bytesOf(1, 32) })
    expect(expectRefused(() => openEnvelopes(owner, 0, [lying]), 'CORRUPT').message).toContain('another key')
  })
})

describe('openEnvelopes', () => {
  test('passes over envelopes for others and of unknown kinds', () => {
    const forOther = wrapDataKey(otherOwner, 0, dataKey)
    const unknown: Envelope = { ...own, kind: 200 }
    expectKey(openEnvelopes(owner, 0, [forOther, unknown, own]), dataKey)
    expectRefused(() => openEnvelopes(owner, 0, [forOther, unknown]), 'CORRUPT')
    expectRefused(() => openEnvelopes(owner, 0, []), 'CORRUPT')
  })

  test('gives the key that is asked for, of several', () => {
    const second = newDataKey(REPOSITORY_ID)
    const both = [own, wrapDataKey(owner, 0, second)]
    expectKey(openEnvelopes(owner, 0, both, second.id), second)
    expectKey(openEnvelopes(owner, 0, both, dataKey.id), dataKey)
    expectRefused(() => openEnvelopes(owner, 0, both, bytesOf(3, 16)), 'CORRUPT')
  })
})

describe('a list of envelopes', () => {
  test('comes back as it was', () => {
    expect(envelopesFromCbor(decodeCbor(encodeCbor(envelopesToCbor([own, boxed]))))).toEqual([own, boxed])
    expect(envelopesFromCbor([])).toEqual([])
  })

  test.each<[string, unknown]>([
    ['that is none', new Map()],
    ['with an id that is too short', [[new Uint8Array(15), new Uint8Array(16), 1, new Uint8Array(0)]]],
    ['with a recipient that is too long', [[new Uint8Array(16), new Uint8Array(17), 1, new Uint8Array(0)]]],
    ['with a kind beyond a byte', [[new Uint8Array(16), new Uint8Array(16), 256, new Uint8Array(0)]]],
    ['without bytes', [[new Uint8Array(16), new Uint8Array(16), 1]]],
    ['that is too long', Array.from({ length: 65 }, () => [new Uint8Array(16), new Uint8Array(16), 1, new Uint8Array(0)])],
  ])('%s is refused', (_what, value) => {
    expectRefused(() => envelopesFromCbor(value), 'CORRUPT')
  })
})

test('data keys are fresh, and their ids commit to key and repository', () => {
  const keys = Array.from({ length: 50 }, () => newDataKey(REPOSITORY_ID))
  expect(new Set(keys.map(({ key }) => toHex(key))).size).toBe(50)
  expect(new Set(keys.map(({ id }) => toHex(id))).size).toBe(50)
})
