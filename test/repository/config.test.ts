import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { chunkerParams } from '../../src/chunker/params.ts'
import { decodeConfig, encodeConfig, newConfig, type RepositoryConfig } from '../../src/repository/config.ts'
import { RECORD } from '../../src/repository/format.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { sealObject } from '../../src/repository/sealed-object.ts'
import { encodeSigned } from '../../src/repository/signed.ts'
import type { Keyring } from '../../src/repository/keyring.ts'
import { flipped } from '../util/bytes-of.ts'
import { expectRefused, expectRejected } from '../util/expect-error.ts'
import { memoryRepository, otherOwner, owner, PASSWORD, replaceObject, stranger, writer } from './support.ts'

const config: RepositoryConfig = newConfig(chunkerParams(), 1_700_000_000_000_000_001n, '1.2.3')
const AS = { type: RECORD.config, group: 0, name: 'config' } as const

const fields: readonly (readonly [number, unknown])[] = [
  [1, '1.2.3'],
  [2, 5n],
  [3, 'fastcdc'],
  [4, 32_768],
  [5, 131_072],
  [6, 524_288],
  [7, 1_048_576],
  [8, 33_554_432],
  [9, []],
  [10, []],
]

/** A config as another program might have sealed it, signed by the owner or by somebody else. */
function sealed(payload: ReadonlyMap<number, unknown>, signer: Keyring = owner): Uint8Array {
  return sealObject(owner, owner.config, AS, encodeSigned(signer.signingSeed, owner.repositoryId, AS, encodeCbor(payload)))
}

function configWith(...changes: readonly (readonly [number, unknown])[]): Uint8Array {
  return sealed(new Map<number, unknown>([...fields, ...changes]))
}

describe('the config', () => {
  test('comes back as it was', () => {
    expect(decodeConfig(owner, encodeConfig(owner, config))).toEqual(config)
    const other = { ...config, frameBytes: 65_536, packBytes: 1_048_576, optionalFeatures: ['some thing'] }
    expect(decodeConfig(owner, encodeConfig(owner, other))).toEqual(other)
  })

  test('may hold fields and optional features that this nacre does not know', () => {
    expect(decodeConfig(owner, configWith([10, ['from later']], [77, 'whatever'])).optionalFeatures).toEqual(['from later'])
  })

  test('with required features that this nacre does not know is refused, and they are named', () => {
    const error = expectRefused(() => decodeConfig(owner, configWith([9, ['error correction', 'other hash']])), 'FEATURE_UNKNOWN')
    expect(error.message).toContain('error correction, other hash')
    expect(error.details).toEqual({ features: ['error correction', 'other hash'] })
  })

  test('with another chunker is refused by its name', () => {
    expect(expectRefused(() => decodeConfig(owner, configWith([3, 'buzhash'])), 'FEATURE_UNKNOWN').message).toContain('buzhash')
  })

  test.each<[string, readonly [number, unknown]]>([
    ['chunks of no bytes', [4, 0]],
    ['a least chunk above the average', [4, 200_000]],
    ['a largest chunk below the average', [6, 1000]],
    ['chunks without end', [6, 2 ** 40]],
    ['frames too small to work with', [7, 1]],
    ['frames of a terabyte', [7, 2 ** 40]],
    ['packs too small to work with', [8, 1]],
    ['packs of a terabyte', [8, 2 ** 40]],
    ['a negative size', [8, -1]],
    ['text for a size', [8, '32M']],
    ['a list that is none', [9, 'feature']],
    ['a feature that is no text', [9, [1]]],
  ])('that states %s is refused', (_what, change) => {
    expectRefused(() => decodeConfig(owner, configWith(change)), 'CORRUPT')
  })

  test('lacking a field is refused', () => {
    for (const [key] of fields) {
      expectRefused(() => decodeConfig(owner, sealed(new Map<number, unknown>(fields.filter(([other]) => other !== key)))), 'CORRUPT')
    }
  })

  test('is read by a writer, who cannot make another that anybody believes', () => {
    expect(decodeConfig(writer, encodeConfig(owner, config))).toEqual(config)
    for (const keyring of [owner, writer]) {
      expect(expectRefused(() => decodeConfig(keyring, sealed(new Map(fields), writer)), 'CORRUPT').message).toContain('not trusted')
      expectRefused(() => decodeConfig(keyring, encodeConfig(writer, config)), 'CORRUPT')
      expectRefused(() => decodeConfig(keyring, sealObject(owner, owner.config, AS, encodeCbor(new Map(fields)))), 'CORRUPT')
    }
  })

  test('is no other record of the owner\'s that is sealed again', () => {
    const body = encodeCbor(new Map(fields))
    for (const as of [{ ...AS, type: RECORD.gcPlan }, { ...AS, name: '' }, { ...AS, group: 1 }]) {
      expectRefused(() => decodeConfig(owner, sealObject(owner, owner.config, AS, encodeSigned(owner.signingSeed, owner.repositoryId, as, body))), 'CORRUPT')
    }
  })

  test('is refused when a bit of it differs, and with other keys', () => {
    const bytes = encodeConfig(owner, config)
    for (let bit = 80; bit < bytes.length * 8; bit += 5) expectRefused(() => decodeConfig(owner, flipped(bytes, bit)), 'CORRUPT')
    expectRefused(() => decodeConfig(otherOwner, bytes), 'CORRUPT')
    expectRefused(() => decodeConfig(stranger, bytes), 'CORRUPT')
  })
})

describe('opening a repository', () => {
  test('whose config needs an unknown feature is refused before anything is read or written', async () => {
    await using at = await memoryRepository()
    const { keyring } = at.repository
    const bytes = encodeConfig(keyring, { ...at.repository.config, requiredFeatures: ['time travel'] })
    await replaceObject(at.backend, { type: 'config', name: 'config' }, bytes)
    const error = await expectRejected(openRepository({ backend: at.backend, password: PASSWORD, cacheFolder: at.folder }), 'FEATURE_UNKNOWN')
    expect(error.message).toContain('time travel')
  })

  test('whose config was exchanged for another repository\'s does not open', async () => {
    await using at = await memoryRepository()
    await using other = await memoryRepository()
    const theirs = await other.backend.load({ type: 'config', name: 'config' })
    await replaceObject(at.backend, { type: 'config', name: 'config' }, theirs)
    await expectRejected(openRepository({ backend: at.backend, password: PASSWORD, cacheFolder: at.folder }), 'KEY_TAMPERED')
  })

  test('whose config is empty, short or something else is refused as damaged', async () => {
    await using at = await memoryRepository()
    const whole = await at.backend.load({ type: 'config', name: 'config' })
    for (const bytes of [new Uint8Array(0), whole.subarray(0, 30), whole.subarray(0, whole.length - 1), new TextEncoder().encode('<html>502</html>'.repeat(10))]) {
      await replaceObject(at.backend, { type: 'config', name: 'config' }, bytes)
      await expectRejected(openRepository({ backend: at.backend, password: PASSWORD, cacheFolder: at.folder }), 'CORRUPT')
    }
  })
})
