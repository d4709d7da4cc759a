import { describe, expect, test } from 'vitest'
import { memoryBackend } from '../../src/backend/memory.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { decodeSlot, encodeSlot, openSlot, openSlotLabel, type SlotLabel } from '../../src/repository/key-slot.ts'
import { keyringOf, ownerBundle, writerBundle } from '../../src/repository/keyring.ts'
import { unlock } from '../../src/repository/unlock.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused, expectRejected } from '../util/expect-error.ts'
import { CHEAP_KDF, owner, PASSWORD, REPOSITORY_ID } from './support.ts'

const BUNDLE = ownerBundle(bytesOf(101, 32))
const LABEL: SlotLabel = { role: 'owner', group: 0, user: 'ada', host: 'nautilus', createdNs: 1_700_000_000_123_456_789n }

// Where the parts of a slot lie.
const DERIVATION = 54
const COMMITMENT = 99
const LABEL_AT = 131
const BUNDLE_AT = 427

const slot = await encodeSlot(owner, BUNDLE, LABEL, PASSWORD, CHEAP_KDF)

/** A slot with those bytes under the name that fits them, as a hostile store can make it. */
function renamed(bytes: Uint8Array): ReturnType<typeof decodeSlot> {
  return decodeSlot(toHex(sha256(bytes)), bytes)
}

describe('a password slot', () => {
  test('gives back bundle and label, and has the length of every slot', async () => {
    const decoded = decodeSlot(slot.id, slot.bytes)
    expect(await openSlot(decoded, PASSWORD)).toEqual(BUNDLE)
    expect(openSlotLabel(decoded, owner.config)).toEqual(LABEL)
    expect(slot.bytes.length).toBe(4563)
    expect(slot.id).toBe(toHex(sha256(slot.bytes)))
  })

  test('of a writer has the same length, and gives a keyring that can write and not read', async () => {
    const bundle = writerBundle(owner, 7, bytesOf(5, 32))
    const made = await encodeSlot(owner, bundle, { ...LABEL, role: 'writer', group: 7 }, PASSWORD, CHEAP_KDF)
    expect(made.bytes.length).toBe(slot.bytes.length)
    const opened = await openSlot(decodeSlot(made.id, made.bytes), PASSWORD)
    expect(opened).toEqual(bundle)
    const keyring = keyringOf(opened!, REPOSITORY_ID)
    expect(keyring.role).toBe('writer')
    expect(keyring.group).toBe(7)
    expect(keyring.boxSeed).toBeUndefined()
    expect(keyring.wrap(7)).toBeUndefined()
    expect(toHex(keyring.index(7))).toBe(toHex(owner.index(7)))
    expect(toHex(keyring.blobId(7, 'data'))).toBe(toHex(owner.blobId(7, 'data')))
    expectRefused(() => keyring.index(0), 'CORRUPT')
    expectRefused(() => keyring.blobId(0, 'tree'), 'CORRUPT')
    expect(Buffer.from(made.bytes).includes(Buffer.from(bytesOf(101, 32)))).toBe(false)
  })

  test('works with scrypt as well', async () => {
    const made = await encodeSlot(owner, BUNDLE, LABEL, PASSWORD, { algorithm: 2, cost: 1024, blockSize: 8, lanes: 1 })
    const decoded = decodeSlot(made.id, made.bytes)
    expect(decoded.kdf).toEqual({ algorithm: 2, cost: 1024, blockSize: 8, lanes: 1 })
    expect(await openSlot(decoded, PASSWORD)).toEqual(BUNDLE)
  })

  test.each(['', 'A password of the tests', 'a password of the tests ', 'x'])('tells the wrong password "%s" by giving nothing', async (password) => {
    expect(await openSlot(decodeSlot(slot.id, slot.bytes), utf8(password))).toBeUndefined()
  })

  test('is never made for an empty password', async () => {
    await expectRejected(encodeSlot(owner, BUNDLE, LABEL, new Uint8Array(0), CHEAP_KDF), 'PASSWORD_REFUSED')
  })

  test('is known as tampered with when any bit of it differs, whatever the password', () => {
    for (let bit = 0; bit < slot.bytes.length * 8; bit += 7) expectRefused(() => decodeSlot(slot.id, flipped(slot.bytes, bit)), 'KEY_TAMPERED')
  })

  test('is known as tampered with when it is cut short or longer', () => {
    for (const length of [0, 10, 54, 4562]) expectRefused(() => decodeSlot(slot.id, slot.bytes.subarray(0, length)), 'KEY_TAMPERED')
    expect(() => renamed(new Uint8Array([...slot.bytes, 0]))).toThrow()
  })

  test('cuts long names and keeps them readable', async () => {
    const made = await encodeSlot(owner, BUNDLE, { ...LABEL, user: 'ü'.repeat(100), host: '\u{1f41a}'.repeat(100) }, PASSWORD, CHEAP_KDF)
    const label = openSlotLabel(decodeSlot(made.id, made.bytes), owner.config)
    expect(label.user).toBe('ü'.repeat(32))
    expect(label.host).toBe('\u{1f41a}'.repeat(16))
  })

  test('has a label that opens with the config key alone, and with no other', () => {
    expectRefused(() => openSlotLabel(decodeSlot(slot.id, slot.bytes), owner.gc), 'CORRUPT')
  })
})

describe('a slot that was changed and given a fitting name', () => {
  test('has its parts where the test looks for them', () => {
    expect(toHex(slot.bytes.subarray(DERIVATION, DERIVATION + 13))).toBe('01' + '40000000' + '01000000' + '01000000')
    expect(COMMITMENT).toBe(DERIVATION + 13 + 32)
    expect(BUNDLE_AT + 4136).toBe(slot.bytes.length)
  })

  test('counts as tampered with when the bundle was changed and the password is right', async () => {
    for (const at of [BUNDLE_AT, BUNDLE_AT + 24, BUNDLE_AT + 2000, slot.bytes.length - 1]) {
      await expectRejected(openSlot(renamed(flipped(slot.bytes, at * 8)), PASSWORD), 'KEY_TAMPERED')
      expect(await openSlot(renamed(flipped(slot.bytes, at * 8)), utf8('wrong'))).toBeUndefined()
    }
  })

  test('opens for nobody when salt, commitment or parameters were changed', async () => {
    for (const at of [DERIVATION + 13, COMMITMENT - 1, COMMITMENT, LABEL_AT - 1]) {
      expect(await openSlot(renamed(flipped(slot.bytes, at * 8)), PASSWORD)).toBeUndefined()
    }
    const costlier = slot.bytes.slice()
    costlier[DERIVATION + 1] = 128
    expect(await openSlot(renamed(costlier), PASSWORD)).toBeUndefined()
  })

  test('gives its keys all the same when only the label was changed, and no false label', async () => {
    const changed = renamed(flipped(slot.bytes, (LABEL_AT + 50) * 8))
    expect(await openSlot(changed, PASSWORD)).toEqual(BUNDLE)
    expectRefused(() => openSlotLabel(changed, owner.config), 'CORRUPT')
  })

  test('is bound to its header: a slot of another repository does not become one of this', async () => {
    const changed = renamed(flipped(slot.bytes, 16 * 8))
    expect(await openSlot(changed, PASSWORD)).toBeUndefined()
  })

  test.each<[string, number, number]>([
    ['another magic', 0, 1],
    ['another type', 10, 1],
    ['a group', 12, 1],
    ['a name', 52, 4],
  ])('is refused with %s', (_what, at, value) => {
    const bytes = slot.bytes.slice()
    bytes[at] = value
    expect(() => renamed(bytes)).toThrow(expect.objectContaining({ name: 'BackupError' }))
  })

  test('is refused by name when it asks for an unknown derivation', () => {
    const bytes = slot.bytes.slice()
    bytes[DERIVATION] = 9
    expectRefused(() => renamed(bytes), 'REPOSITORY_VERSION')
  })

  test('is not evaluated when it asks for all the memory there is', async () => {
    const bytes = slot.bytes.slice()
    bytes.fill(255, DERIVATION + 1, DERIVATION + 5)
    await expectRejected(openSlot(renamed(bytes), PASSWORD), 'CORRUPT')
  })
})

describe('unlock', () => {
  const second = utf8('another password')
  const ignore = (): void => undefined

  async function twoSlots(): Promise<{ backend: ReturnType<typeof memoryBackend>; ids: string[] }> {
    const backend = memoryBackend()
    const made = [slot, await encodeSlot(owner, BUNDLE, LABEL, second, CHEAP_KDF)]
    for (const { id, bytes } of made) await backend.create({ type: 'keys', name: id }, [bytes])
    return { backend, ids: made.map(({ id }) => id) }
  }

  test('opens with either password, and says which slot it was', async () => {
    const { backend, ids } = await twoSlots()
    expect(await unlock(backend, REPOSITORY_ID, PASSWORD, { notice: ignore })).toEqual({ bundle: BUNDLE, slotId: ids[0] })
    expect(await unlock(backend, REPOSITORY_ID, second, { notice: ignore })).toEqual({ bundle: BUNDLE, slotId: ids[1] })
  })

  test('tells a wrong password when all slots are whole', async () => {
    const { backend } = await twoSlots()
    await expectRejected(unlock(backend, REPOSITORY_ID, utf8('wrong'), { notice: ignore }), 'WRONG_PASSWORD')
  })

  test('opens with one password while the other\'s slot is damaged in any place, and says so', async () => {
    for (const at of [0, 8, 10, 20, 53, 54, 60, 80, 100, 131, 500, 4562]) {
      const { backend, ids } = await twoSlots()
      await backend.remove({ type: 'keys', name: ids[1]! })
      await backend.create({ type: 'keys', name: ids[1]! }, [flipped(slot.bytes, at * 8)])
      const notices: string[] = []
      expect((await unlock(backend, REPOSITORY_ID, PASSWORD, { notice: (message) => notices.push(message) })).slotId).toBe(ids[0])
      expect(notices, `byte ${at}`).toHaveLength(1)
    }
  })

  test('opens beside a slot that a hostile store gave a fitting name and absurd parameters, an unknown derivation or a cut end', async () => {
    const absurd = slot.bytes.slice()
    absurd.fill(255, DERIVATION + 1, DERIVATION + 13)
    const unknown = slot.bytes.slice()
    unknown[DERIVATION] = 77
    for (const bytes of [absurd, unknown, slot.bytes.subarray(0, 4000), new Uint8Array(0)]) {
      const { backend, ids } = await twoSlots()
      await backend.create({ type: 'keys', name: toHex(sha256(bytes)) }, [bytes])
      expect((await unlock(backend, REPOSITORY_ID, PASSWORD, { notice: ignore })).slotId).toBe(ids[0])
    }
  })

  test('says tampered, not wrong password, when the only slot was changed', async () => {
    const backend = memoryBackend()
    await backend.create({ type: 'keys', name: slot.id }, [flipped(slot.bytes, 4000 * 8)])
    await expectRejected(unlock(backend, REPOSITORY_ID, PASSWORD, { notice: ignore }), 'KEY_TAMPERED')
  })

  test('never takes a slot of another repository', async () => {
    const { backend } = await twoSlots()
    await expectRejected(unlock(backend, bytesOf(9, 16), PASSWORD, { notice: ignore }), 'KEY_TAMPERED')
  })

  test('says that there are no slots when there are none', async () => {
    await expectRejected(unlock(memoryBackend(), REPOSITORY_ID, PASSWORD, { notice: ignore }), 'CORRUPT')
  })
})
