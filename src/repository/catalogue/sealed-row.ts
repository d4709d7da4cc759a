/** Rows of the catalogue that are sealed: what they hold is not for everyone who can read the cache folder. */
import { open } from '../../crypto/aead.ts'
import { isBackupError } from '../../util/errors.ts'

/**
 * What the row holds; undefined where there is none, and where it is damaged: it is learnt again.
 * @param name - of the row, which it was sealed with
 * @param decode - may throw CORRUPT
 */
export function readSealedRow<Value>(key: Uint8Array, name: Uint8Array, row: Uint8Array | undefined, decode: (bytes: Uint8Array) => Value): Value | undefined {
  if (row === undefined) return undefined
  try {
    return decode(open(key, row, name))
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT')) throw error
    return undefined
  }
}
