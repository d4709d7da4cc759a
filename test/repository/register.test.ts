import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { signingPublicKey } from '../../src/crypto/asymmetric.ts'
import { newDataKey, wrapDataKey } from '../../src/repository/envelope.ts'
import { RECORD } from '../../src/repository/format.ts'
import { decodeGcRecord, encodeGcRecord, gcName, type GcKind, type GcRecord, parseGcName } from '../../src/repository/gc-record.ts'
import { readGcState } from '../../src/repository/gc-state.ts'
import { decodeRegister, encodeFence, encodeSnapshotRegister, looksLikeFence } from '../../src/repository/register.ts'
import { sealObject } from '../../src/repository/sealed-object.ts'
import { decodeSession, encodeSession, type SessionInfo } from '../../src/repository/session-object.ts'
import { decodeSigned, encodeSigned } from '../../src/repository/signed.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { memoryRepository, otherOwner, owner, REPOSITORY_ID, stranger, writer, WRITER_GROUP } from './support.ts'

const sid = toHex(bytesOf(1, 16))
const name = `0/${sid}`
const body = utf8('a snapshot, opaque here')
const dataKey = newDataKey(REPOSITORY_ID)
const envelopes = [wrapDataKey(owner, 0, dataKey)]
const snapshot = encodeSnapshotRegister(owner, name, dataKey, envelopes, body)
const fence = encodeFence(owner, name, 0)
const trusted = [owner.ownerPublic]
const writerPublic = signingPublicKey(writer.signingSeed)

describe('the commit register', () => {
  test('gives back the snapshot that was put into it', () => {
    const content = decodeRegister(owner, 0, name, snapshot, trusted)
    expect(content.kind === 'snapshot' && toHex(content.body)).toBe(toHex(body))
    expect(looksLikeFence(snapshot)).toBe(false)
  })

  test('tells a fence from a snapshot', () => {
    expect(decodeRegister(owner, 0, name, fence, trusted)).toEqual({ kind: 'fence' })
    expect(looksLikeFence(fence)).toBe(true)
  })

  test('holds a writer\'s snapshot, which the writer cannot read and the owner can', () => {
    const theirName = `${WRITER_GROUP}/${sid}`
    const bytes = encodeSnapshotRegister(writer, theirName, dataKey, [wrapDataKey(writer, WRITER_GROUP, dataKey)], body)
    expect(decodeRegister(owner, WRITER_GROUP, theirName, bytes, [writerPublic])).toMatchObject({ kind: 'snapshot' })
    expectRefused(() => decodeRegister(writer, WRITER_GROUP, theirName, bytes, [writerPublic]), 'CORRUPT')
    expectRefused(() => decodeRegister(owner, WRITER_GROUP, theirName, bytes, [owner.ownerPublic]), 'CORRUPT')
  })

  test.each([['snapshot', snapshot], ['fence', fence]] as const)('is refused when any bit of a %s differs', (_kind, bytes) => {
    for (let bit = 80; bit < bytes.length * 8; bit += 3) expectRefused(() => decodeRegister(owner, 0, name, flipped(bytes, bit), trusted), 'CORRUPT')
    for (let bit = 64; bit < 80; bit++) expectRefused(() => decodeRegister(owner, 0, name, flipped(bytes, bit), trusted), 'REPOSITORY_VERSION')
  })

  test.each([['snapshot', snapshot], ['fence', fence]] as const)('is refused wherever a %s is cut short', (_kind, bytes) => {
    for (let length = 0; length < bytes.length; length += 3) expectRefused(() => decodeRegister(owner, 0, name, bytes.subarray(0, length), trusted), 'CORRUPT')
  })

  test.each([['snapshot', snapshot], ['fence', fence]] as const)('refuses a %s under another name, in another group and in another repository', (_kind, bytes) => {
    expectRefused(() => decodeRegister(owner, 0, `0/${toHex(bytesOf(2, 16))}`, bytes, trusted), 'CORRUPT')
    expectRefused(() => decodeRegister(owner, 1, name, bytes, trusted), 'CORRUPT')
    expectRefused(() => decodeRegister(stranger, 0, name, bytes, trusted), 'CORRUPT')
    expectRefused(() => decodeRegister(otherOwner, 0, name, bytes, [otherOwner.ownerPublic]), 'CORRUPT')
  })

  test('refuses anything else that stands in it', () => {
    const session = encodeSession(owner, name, { startedNs: 1n, host: 'h', user: 'u', program: 'p', kind: 'backup' })
    expectRefused(() => decodeRegister(owner, 0, name, session, trusted), 'CORRUPT')
    expectRefused(() => decodeRegister(owner, 0, name, new Uint8Array(0), trusted), 'CORRUPT')
  })

  test('obeys no fence of a group by a key that is neither the owner\'s nor trusted there', () => {
    const theirName = `${WRITER_GROUP}/${sid}`
    const own = encodeFence(writer, theirName, WRITER_GROUP)
    expect(decodeRegister(owner, WRITER_GROUP, theirName, own, [writerPublic])).toEqual({ kind: 'fence' })
    expect(decodeRegister(owner, WRITER_GROUP, theirName, encodeFence(owner, theirName, WRITER_GROUP), [writerPublic])).toEqual({ kind: 'fence' })
    // A stolen writer tries to fence the owner's session.
    expectRefused(() => decodeRegister(owner, 0, name, encodeFence(writer, name, 0), trusted), 'CORRUPT')
  })
})

describe('a signed record', () => {
  const as = { type: RECORD.forgotten, group: 0, name }
  const signed = encodeSigned(owner.signingSeed, REPOSITORY_ID, as, body)

  test('is the word of its signer', () => {
    expect(toHex(decodeSigned(signed, REPOSITORY_ID, as, trusted, 'it').body)).toBe(toHex(body))
  })

  test('is not obeyed by another signer, about something else, or in another repository', () => {
    expectRefused(() => decodeSigned(signed, REPOSITORY_ID, as, [writerPublic], 'it'), 'CORRUPT')
    expectRefused(() => decodeSigned(signed, REPOSITORY_ID, { ...as, type: RECORD.mark }, trusted, 'it'), 'CORRUPT')
    expectRefused(() => decodeSigned(signed, REPOSITORY_ID, { ...as, group: 1 }, trusted, 'it'), 'CORRUPT')
    expectRefused(() => decodeSigned(signed, REPOSITORY_ID, { ...as, name: '0/x' }, trusted, 'it'), 'CORRUPT')
    expectRefused(() => decodeSigned(signed, bytesOf(5, 16), as, trusted, 'it'), 'CORRUPT')
  })

  test('is not obeyed when a writer signs it and names the owner as the signer', () => {
    const forged = encodeSigned(writer.signingSeed, REPOSITORY_ID, as, body)
    const lying = new Uint8Array(Buffer.from(toHex(forged).replace(toHex(writerPublic), toHex(owner.ownerPublic)), 'hex'))
    expectRefused(() => decodeSigned(lying, REPOSITORY_ID, as, trusted, 'it'), 'CORRUPT')
  })

  test('is refused when any bit of it differs', () => {
    for (let bit = 0; bit < signed.length * 8; bit++) expectRefused(() => decodeSigned(flipped(signed, bit), REPOSITORY_ID, as, trusted, 'it'), 'CORRUPT')
  })
})

describe('a session\'s object', () => {
  const info: SessionInfo = { startedNs: 1_700_000_000_000_000_001n, host: 'nautilus', user: 'ada', program: '1.0.0', kind: 'backup' }
  const bytes = encodeSession(owner, name, info)

  test('comes back as it was', () => {
    expect(decodeSession(owner, 0, name, bytes, trusted)).toEqual(info)
  })

  test('is refused when changed, moved, or signed by somebody else', () => {
    for (let bit = 80; bit < bytes.length * 8; bit += 7) expectRefused(() => decodeSession(owner, 0, name, flipped(bytes, bit), trusted), 'CORRUPT')
    expectRefused(() => decodeSession(owner, 0, `0/${toHex(bytesOf(2, 16))}`, bytes, trusted), 'CORRUPT')
    expectRefused(() => decodeSession(owner, 0, name, bytes, [writerPublic]), 'CORRUPT')
  })
})

describe('a gc record', () => {
  const record: GcRecord = { packs: [toHex(bytesOf(1, 32)), toHex(bytesOf(2, 32))], sweep: [name, `4294967295/${sid}`], sweptBefore: [`${WRITER_GROUP}/${sid}`] }

  test.each<GcKind>(['plan', 'verdict', 'done'])('of the kind %s comes back as it was', (kind) => {
    expect(decodeGcRecord(owner, 12, kind, encodeGcRecord(owner, 12, kind, record))).toEqual(record)
    const empty: GcRecord = { packs: [], sweep: [], sweptBefore: [] }
    expect(decodeGcRecord(owner, 12, kind, encodeGcRecord(owner, 12, kind, empty))).toEqual(empty)
  })

  test('is bound to its generation and its kind', () => {
    const bytes = encodeGcRecord(owner, 12, 'plan', record)
    expectRefused(() => decodeGcRecord(owner, 13, 'plan', bytes), 'CORRUPT')
    expectRefused(() => decodeGcRecord(owner, 12, 'verdict', bytes), 'CORRUPT')
    for (let bit = 80; bit < bytes.length * 8; bit += 7) expectRefused(() => decodeGcRecord(owner, 12, 'plan', flipped(bytes, bit)), 'CORRUPT')
  })

  test('of a writer, who has the key to read it, is never obeyed', () => {
    expectRefused(() => decodeGcRecord(owner, 12, 'plan', encodeGcRecord(writer, 12, 'plan', record)), 'CORRUPT')
    expect(decodeGcRecord(writer, 12, 'plan', encodeGcRecord(owner, 12, 'plan', record))).toEqual(record)
  })

  test('with a broken list is refused', () => {
    const as = { type: RECORD.gcPlan, group: 0, name: gcName(1, 'plan') }
    for (const fields of [[new Uint8Array(31), new Uint8Array(0)], [new Uint8Array(0), new Uint8Array(21)]]) {
      const payload = encodeCbor(new Map<number, unknown>([[1, fields[0]], [2, fields[1]], [3, new Uint8Array(0)]]))
      const bytes = sealObject(owner, owner.gc, as, encodeSigned(owner.signingSeed, REPOSITORY_ID, as, payload))
      expectRefused(() => decodeGcRecord(owner, 1, 'plan', bytes), 'CORRUPT')
    }
  })

  test('has a name that is read back', () => {
    expect(gcName(7, 'plan')).toBe('0000000007.plan')
    expect(parseGcName('0000000007.plan')).toEqual({ generation: 7, kind: 'plan' })
    for (const other of ['7.plan', '0000000007.Plan', '0000000007.plan.tmp', '00000000070.done', '']) expect(parseGcName(other)).toBeUndefined()
  })
})

describe('what is condemned', () => {
  const pack = (seed: number): string => toHex(bytesOf(seed, 32))
  const plain = (packs: string[], sweep: string[] = [], sweptBefore: string[] = []): GcRecord => ({ packs, sweep, sweptBefore })

  async function stateAfter(records: readonly (readonly [number, GcKind, GcRecord])[], forged: readonly (readonly [number, GcKind])[] = []): Promise<{ condemned: string[]; swept: string[]; notices: string[] }> {
    await using at = await memoryRepository()
    const { keyring } = at.repository
    for (const [generation, kind, record] of records) await at.backend.create({ type: 'gc', name: gcName(generation, kind) }, [encodeGcRecord(keyring, generation, kind, record)])
    for (const [generation, kind] of forged) await at.backend.create({ type: 'gc', name: gcName(generation, kind) }, [encodeGcRecord(otherOwner, generation, kind, plain([pack(66)]))])
    const { condemned, swept } = await readGcState(at.repository)
    return { condemned: [...condemned], swept: [...swept].sort(), notices: at.notices }
  }

  test('is nothing where there is no record', async () => {
    expect(await stateAfter([])).toEqual({ condemned: [], swept: [], notices: [] })
  })

  test('is what the newest plan says, and what its verdict says once there is one', async () => {
    expect((await stateAfter([[1, 'plan', plain([pack(1), pack(2)])]])).condemned).toEqual([pack(1), pack(2)])
    expect((await stateAfter([[1, 'plan', plain([pack(1), pack(2)])], [1, 'verdict', plain([pack(1)])]])).condemned).toEqual([pack(1)])
    const later = await stateAfter([[1, 'plan', plain([pack(1)])], [1, 'verdict', plain([pack(1)])], [1, 'done', plain([])], [2, 'plan', plain([pack(3)])]])
    expect(later.condemned).toEqual([pack(3)])
  })

  test('stays condemned after the generation is done', async () => {
    expect((await stateAfter([[1, 'plan', plain([pack(1)])], [1, 'verdict', plain([pack(1)])], [1, 'done', plain([])]])).condemned).toEqual([pack(1)])
  })

  test('was swept by the newest verdict or any before it', async () => {
    const state = await stateAfter([[1, 'plan', plain([], [name])], [1, 'verdict', plain([], [name], [`0/${'22'.repeat(16)}`])], [1, 'done', plain([])], [2, 'plan', plain([], [`0/${'33'.repeat(16)}`])]])
    expect(state.swept).toEqual([`0/${'22'.repeat(16)}`, name].sort())
  })

  test('is not what a forged record says, and that is told', async () => {
    const state = await stateAfter([[1, 'plan', plain([pack(1)])]], [[1, 'verdict']])
    expect(state.condemned).toEqual([pack(1)])
    expect(state.notices).toHaveLength(1)
  })

  test('is not forgotten because a forged record of a later generation stands there', async () => {
    const state = await stateAfter([[1, 'plan', plain([pack(1)])], [1, 'verdict', plain([pack(1)], [name])]], [[2, 'plan']])
    expect(state.condemned).toEqual([pack(1)])
    expect(state.swept).toEqual([name])
  })
})
