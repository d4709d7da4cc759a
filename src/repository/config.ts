/**
 * The repository's parameters, fixed at init: how content is cut, how large frames and packs are
 * meant to be, and which features a reader must know. A feature that is required and not known
 * here is refused by name, before anything is read or written.
 *
 * It is the owner's word: a writer holds the key that seals it, and must not be able to make one.
 */
import { isValidChunkerParams, type ChunkerParams } from '../chunker/params.ts'
import type { LockSetting } from '../backend/with-object-lock.ts'
import { asArray, asCount, asI64, asMap, asText, asTexts, decodeCbor, encodeCbor, optional } from '../codec/cbor.ts'
import { BackupError } from '../util/errors.ts'
import { FRAME_BYTES_DEFAULT, FRAME_BYTES_LIMIT, KIB, PACK_BYTES_DEFAULT, PACK_BYTES_LIMIT, RECORD } from './format.ts'
import type { Keyring } from './keyring.ts'
import { openRecord, sealRecord } from './signed-record.ts'

export interface RepositoryConfig {
  readonly chunker: ChunkerParams
  readonly frameBytes: number
  readonly packBytes: number
  readonly createdNs: bigint
  /** Version of the program that made the repository. */
  readonly program: string
  /** Names of features that every reader and writer must know. */
  readonly requiredFeatures: readonly string[]
  /** Names of features that may be ignored. */
  readonly optionalFeatures: readonly string[]
  /** What is stored is locked, where the storage can. */
  readonly objectLock?: LockSetting | undefined
  /** Whether the bucket that it was made in keeps versions and minds no condition when one is created. */
  readonly isUnguarded?: boolean | undefined
}

/** Ignoring it costs no snapshot: what another writes is locked by the next prune that knows of it. */
export const OBJECT_LOCK_FEATURE = 'object-lock'
const LOCK_MODES = ['governance', 'compliance'] as const
/** A hundred years, as services have it. */
export const LOCK_SECONDS_LIMIT = 36_500 * 24 * 60 * 60

const KNOWN_FEATURES: ReadonlySet<string> = new Set()
const AS = { type: RECORD.config, group: 0, name: 'config' } as const
const CHUNKER_NAME = 'fastcdc'

export function newConfig(chunker: ChunkerParams, createdNs: bigint, program: string, storage: Pick<RepositoryConfig, 'objectLock' | 'isUnguarded'> = {}): RepositoryConfig {
  const optionalFeatures = storage.objectLock === undefined ? [] : [OBJECT_LOCK_FEATURE]
  return { chunker, frameBytes: FRAME_BYTES_DEFAULT, packBytes: PACK_BYTES_DEFAULT, createdNs, program, requiredFeatures: [], optionalFeatures, ...storage }
}

/** @param keyring - the owner's: nobody believes a config that another has signed */
export function encodeConfig(keyring: Keyring, config: RepositoryConfig): Uint8Array {
  const body = encodeCbor(
    new Map<number, unknown>([
      [1, config.program],
      [2, config.createdNs],
      [3, CHUNKER_NAME],
      [4, config.chunker.minBytes],
      [5, config.chunker.averageBytes],
      [6, config.chunker.maxBytes],
      [7, config.frameBytes],
      [8, config.packBytes],
      [9, [...config.requiredFeatures]],
      [10, [...config.optionalFeatures]],
      ...(config.objectLock === undefined ? [] : [[11, encodeLock(config.objectLock)] as const]),
      ...(config.isUnguarded === true ? [[12, true] as const] : []),
    ]),
  )
  return sealRecord(keyring, keyring.config, AS, body)
}

/** @throws {BackupError} CORRUPT - not the owner's word, too; FEATURE_UNKNOWN - names the features that this nacre lacks */
export function decodeConfig(keyring: Keyring, bytes: Uint8Array): RepositoryConfig {
  const map = asMap(decodeCbor(openRecord(keyring, keyring.config, bytes, { as: AS, trusted: [keyring.ownerPublic], what: 'config' })), 'config')
  const requiredFeatures = asTexts(map.get(9), 'required features')
  refuseUnknown(requiredFeatures)
  const chunker = {
    minBytes: asCount(map.get(4), 'least chunk'),
    averageBytes: asCount(map.get(5), 'average chunk'),
    maxBytes: asCount(map.get(6), 'largest chunk'),
  }
  if (asText(map.get(3), 'chunker') !== CHUNKER_NAME) refuseUnknown([`chunker ${asText(map.get(3), 'chunker')}`])
  if (!isValidChunkerParams(chunker)) throw new BackupError('CORRUPT', 'config states chunk sizes that cannot be')
  return {
    chunker,
    frameBytes: atLeast(64 * KIB, asCount(map.get(7), 'frame size', FRAME_BYTES_LIMIT)),
    packBytes: atLeast(KIB * KIB, asCount(map.get(8), 'pack size', PACK_BYTES_LIMIT / 2)),
    createdNs: asI64(map.get(2), 'creation time'),
    program: asText(map.get(1), 'program'),
    requiredFeatures,
    optionalFeatures: asTexts(map.get(10), 'optional features'),
    ...definedOnly({ objectLock: optional(map, 11, decodeLock, 'object lock'), isUnguarded: map.get(12) === true ? true : undefined }),
  }
}

function encodeLock({ mode, spanMs }: LockSetting): readonly number[] {
  return [LOCK_MODES.indexOf(mode) + 1, spanMs / 1000]
}

function decodeLock(value: unknown, what: string): LockSetting {
  const [code, seconds] = asArray(value, what)
  const mode = LOCK_MODES[asCount(code, `mode of ${what}`, LOCK_MODES.length) - 1]
  const spanSeconds = asCount(seconds, `span of ${what}`, LOCK_SECONDS_LIMIT)
  if (mode === undefined || spanSeconds === 0) throw new BackupError('CORRUPT', 'config states an object lock that cannot be')
  return { mode, spanMs: spanSeconds * 1000 }
}

function definedOnly<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

function atLeast(least: number, value: number): number {
  if (value < least) throw new BackupError('CORRUPT', `config states a size of ${value} bytes, which is too small`)
  return value
}

function refuseUnknown(features: readonly string[]): void {
  const unknown = features.filter((name) => !KNOWN_FEATURES.has(name))
  if (unknown.length === 0) return
  throw new BackupError('FEATURE_UNKNOWN', `this repository needs features that this nacre does not have: ${unknown.join(', ')}; use a newer nacre`, { details: { features: unknown } })
}
