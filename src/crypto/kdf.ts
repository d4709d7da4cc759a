/**
 * Password to key. argon2id with RFC 9106's second recommended choice (64 MiB, t=3, p=4; 139 ms
 * measured on two cores) is the default, scrypt (N=2^17; 294 ms) the second algorithm.
 *
 * Parameters come from a slot that a hostile server may have written, before anything of it can be
 * authenticated, so absurd ones are refused rather than evaluated.
 */
import { scrypt } from 'node:crypto'
import { BackupError } from '../util/errors.ts'

export const KDF_ARGON2ID = 1
export const KDF_SCRYPT = 2
export const KDF_SALT_BYTES = 32
export const KDF_OUTPUT_BYTES = 64

export type KdfParameters =
  | { readonly algorithm: typeof KDF_ARGON2ID; readonly memoryKib: number; readonly passes: number; readonly lanes: number }
  | { readonly algorithm: typeof KDF_SCRYPT; readonly cost: number; readonly blockSize: number; readonly lanes: number }

export const DEFAULT_KDF: KdfParameters = { algorithm: KDF_ARGON2ID, memoryKib: 65_536, passes: 3, lanes: 4 }

const MIB = 1024 * 1024
const MEMORY_LIMIT = 1024 * MIB

/** What is wrong with the parameters, or undefined when they may be evaluated. */
export function kdfObjection(kdf: KdfParameters): string | undefined {
  if (kdf.algorithm === KDF_ARGON2ID) {
    if (kdf.memoryKib < 8 * kdf.lanes || kdf.memoryKib * 1024 > MEMORY_LIMIT) return `memory of ${kdf.memoryKib} KiB`
    if (kdf.passes < 1 || kdf.passes > 64) return `${kdf.passes} passes`
    if (kdf.lanes < 1 || kdf.lanes > 64) return `${kdf.lanes} lanes`
    return undefined
  }
  const isPowerOfTwo = Number.isInteger(Math.log2(kdf.cost))
  if (!isPowerOfTwo || kdf.cost < 2 || kdf.blockSize < 1 || kdf.lanes < 1 || kdf.lanes > 16) {
    return `cost ${kdf.cost}, block ${kdf.blockSize}, lanes ${kdf.lanes}`
  }
  if (128 * kdf.cost * kdf.blockSize > MEMORY_LIMIT) return `memory of ${(128 * kdf.cost * kdf.blockSize) / MIB} MiB`
  return undefined
}

/**
 * 64 bytes derived from the password.
 * @param whileDeriving - called once other threads are at it, and this one has time for other work
 * @throws {BackupError} CORRUPT - the parameters are absurd
 */
export async function deriveFromPassword(password: Uint8Array, salt: Uint8Array, kdf: KdfParameters, whileDeriving?: () => void): Promise<Uint8Array> {
  const objection = kdfObjection(kdf)
  if (objection !== undefined) throw new BackupError('CORRUPT', `a key slot asks for an absurd derivation (${objection}); it is refused`)
  if (kdf.algorithm === KDF_ARGON2ID) return argon2id(password, salt, kdf, whileDeriving)
  const deriving = scryptKey(password, salt, kdf)
  whileDeriving?.()
  return deriving
}

type Argon2id = Extract<KdfParameters, { algorithm: typeof KDF_ARGON2ID }>
type Scrypt = Extract<KdfParameters, { algorithm: typeof KDF_SCRYPT }>

async function argon2id(password: Uint8Array, salt: Uint8Array, kdf: Argon2id, whileDeriving: (() => void) | undefined): Promise<Uint8Array> {
  let argon2: typeof import('@node-rs/argon2')
  try {
    argon2 = await import('@node-rs/argon2')
  } catch {
    return pureArgon2id(password, salt, kdf)
  }
  const deriving = argon2.hashRaw(password, {
    algorithm: 2, // argon2id; the package declares a const enum, which isolated modules cannot read
    memoryCost: kdf.memoryKib,
    timeCost: kdf.passes,
    parallelism: kdf.lanes,
    outputLen: KDF_OUTPUT_BYTES,
    salt,
  })
  whileDeriving?.()
  return deriving
}

/** The same in JavaScript alone: seconds instead of milliseconds, for systems without the binary. */
export async function pureArgon2id(password: Uint8Array, salt: Uint8Array, kdf: Argon2id): Promise<Uint8Array> {
  const { argon2idAsync } = await import('@noble/hashes/argon2.js')
  return argon2idAsync(password, salt, { m: kdf.memoryKib, t: kdf.passes, p: kdf.lanes, dkLen: KDF_OUTPUT_BYTES })
}

function scryptKey(password: Uint8Array, salt: Uint8Array, kdf: Scrypt): Promise<Uint8Array> {
  const options = { N: kdf.cost, r: kdf.blockSize, p: kdf.lanes, maxmem: MEMORY_LIMIT + 64 * MIB }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KDF_OUTPUT_BYTES, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
