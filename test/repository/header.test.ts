import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type RecordType, RECORD } from '../../src/repository/format.ts'
import { decodeHeader, encodeHeader, type Header, requireHeader } from '../../src/repository/header.ts'
import { openObject, sealObject } from '../../src/repository/sealed-object.ts'
import { concatBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { otherOwner, owner, REPOSITORY_ID, stranger } from './support.ts'

const name = `0/${'ab'.repeat(16)}`
const header: Header = { type: RECORD.snapshot, group: 0, repositoryId: REPOSITORY_ID, keyId: bytesOf(1, 16), epoch: 3, name }

const anyHeader: fc.Arbitrary<Header> = fc.record({
  type: fc.constantFrom<RecordType>(...Object.values(RECORD)),
  group: fc.integer({ min: 0, max: 0xffffffff }),
  repositoryId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  keyId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  epoch: fc.integer({ min: 0, max: 0xffffffff }),
  name: fc.stringMatching(/^[0-9a-z/.]{0,60}$/),
})

describe('the clear header', () => {
  test('comes back as it was, with what follows it', () => {
    fc.assert(
      fc.property(anyHeader, fc.uint8Array({ maxLength: 50 }), (item, body) => {
        const encoded = encodeHeader(item)
        const decoded = decodeHeader(concatBytes(encoded, body), 'it')
        expect(decoded.header).toEqual(item)
        expect(toHex(decoded.headerBytes)).toBe(toHex(encoded))
        expect(toHex(decoded.body)).toBe(toHex(body))
      }),
    )
  })

  test('lies where the format says', () => {
    const bytes = encodeHeader({ ...header, group: 0x01020304 })
    expect(toHex(bytes.subarray(0, 16))).toBe('894e43520d0a1a0a' + '01010600' + '04030201')
    expect(toHex(bytes.subarray(16, 32))).toBe(toHex(REPOSITORY_ID))
    expect(toHex(bytes.subarray(32, 48))).toBe(toHex(bytesOf(1, 16)))
    expect(toHex(bytes.subarray(48, 54))).toBe('03000000' + '2200')
    expect(Buffer.from(bytes.subarray(54)).toString()).toBe(name)
  })

  test('is refused wherever it is cut short', () => {
    const bytes = encodeHeader(header)
    for (let length = 0; length < bytes.length; length++) expectRefused(() => decodeHeader(bytes.subarray(0, length), 'it'), 'CORRUPT')
  })

  test('is refused when it went through a transfer that mangles text', () => {
    const bytes = encodeHeader(header)
    const mangled = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
    expectRefused(() => decodeHeader(mangled, 'it'), 'CORRUPT')
    expectRefused(() => decodeHeader(Buffer.from(Buffer.from(bytes).toString('utf8')), 'it'), 'CORRUPT')
  })

  test('of a later version or suite is told from damage', () => {
    for (const at of [8, 9]) {
      const bytes = encodeHeader(header)
      bytes[at] = 2
      expect(expectRefused(() => decodeHeader(bytes, 'snapshot x'), 'REPOSITORY_VERSION').message).toContain('snapshot x')
    }
  })
})

describe('requireHeader', () => {
  const expected = { types: [RECORD.snapshot, RECORD.fence], repositoryId: REPOSITORY_ID, group: 0, name }

  test('accepts what was asked for', () => {
    requireHeader(header, expected, 'it')
    requireHeader({ ...header, type: RECORD.fence }, expected, 'it')
  })

  test.each<[string, Partial<Header>]>([
    ['another repository', { repositoryId: bytesOf(2, 16) }],
    ['another type', { type: RECORD.config }],
    ['another group', { group: 1 }],
    ['another name', { name: `0/${'ba'.repeat(16)}` }],
    ['no name', { name: '' }],
  ])('refuses an object of %s', (_what, change) => {
    expectRefused(() => requireHeader({ ...header, ...change }, expected, 'it'), 'CORRUPT')
  })
})

describe('a sealed object', () => {
  const as = { type: RECORD.session, group: 0, name }
  const expected = { types: [as.type], group: 0, name }
  const payload = utf8('what it says')
  const sealed = sealObject(owner, owner.index(0), as, payload)

  test('opens with its key, under its name', () => {
    expect(toHex(openObject(owner, owner.index(0), sealed, expected, 'it').payload)).toBe(toHex(payload))
  })

  test('is refused when any bit of it differs', () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      try {
        openObject(owner, owner.index(0), flipped(sealed, bit), expected, 'it')
      } catch (error) {
        // Bits of version and suite are told apart.
        const isVersion = bit >= 64 && bit < 80
        expect(error).toMatchObject({ code: isVersion ? 'REPOSITORY_VERSION' : 'CORRUPT' })
        continue
      }
      throw new Error(`bit ${bit} may differ`)
    }
  })

  test('is refused as another object, of another group, and in another repository', () => {
    const open = (change: object, keyring = owner): void => void openObject(keyring, owner.index(0), sealed, { ...expected, ...change }, 'it')
    expectRefused(() => open({ name: `0/${'cd'.repeat(16)}` }), 'CORRUPT')
    expectRefused(() => open({ group: 1 }), 'CORRUPT')
    expectRefused(() => open({ types: [RECORD.index] }), 'CORRUPT')
    expectRefused(() => open({}, stranger), 'CORRUPT')
  })

  test('does not open with another key', () => {
    expectRefused(() => openObject(owner, owner.index(1), sealed, expected, 'it'), 'CORRUPT')
    expectRefused(() => openObject(owner, otherOwner.index(0), sealed, expected, 'it'), 'CORRUPT')
  })

  test('cannot be given another header, whoever makes it', () => {
    const other = encodeHeader({ ...decodeHeader(sealed, 'it').header, name: `0/${'cd'.repeat(16)}` })
    const moved = concatBytes(other, decodeHeader(sealed, 'it').body)
    expectRefused(() => openObject(owner, owner.index(0), moved, { ...expected, name: `0/${'cd'.repeat(16)}` }, 'it'), 'CORRUPT')
  })
})
