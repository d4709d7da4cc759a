/** From a password to a bundle of keys: every slot is tried, and a damaged one blocks no other. */
import type { Backend } from '../backend/backend.ts'
import { equalBytes } from '../util/bytes.ts'
import { BackupError, isBackupError, messageOf } from '../util/errors.ts'
import { decodeSlot, openSlot, type Slot } from './key-slot.ts'
import type { Bundle } from './keyring.ts'
import { listObjects, loadObject } from './objects.ts'

export interface UnlockOptions {
  readonly notice: (message: string) => void
  readonly signal?: AbortSignal | undefined
  /** Called once a derivation has begun: it takes its time on other threads. */
  readonly whileDeriving?: (() => void) | undefined
  /** A slot that opened before, as it stands there now: it is tried first, and if it opens no other is asked for. */
  readonly likely?: { readonly id: string; readonly bytes: Promise<Uint8Array | undefined> } | undefined
}

interface Unlocked {
  readonly bundle: Bundle
  readonly slotId: string
}

/**
 * @throws {BackupError} WRONG_PASSWORD - it opens none of the slots; KEY_TAMPERED - it opens none,
 * and a slot was changed, so it may still be the right one
 */
export async function unlock(backend: Backend, repositoryId: Uint8Array, password: Uint8Array, options: UnlockOptions): Promise<Unlocked> {
  const { notice, signal, whileDeriving } = options
  const likely = await tryLikely(repositoryId, password, options)
  if (likely !== undefined && likely !== 'another password') return likely
  let damage: BackupError | undefined
  const { slots, problems } = await loadSlots(backend, repositoryId, signal)
  for (const problem of problems) damage ??= problem
  for (const slot of slots) {
    if (likely !== undefined && slot.id === options.likely?.id) continue
    try {
      const bundle = await openSlot(slot, password, whileDeriving)
      if (bundle === undefined) continue
      if (damage !== undefined) notice(damage.message)
      return { bundle, slotId: slot.id }
    } catch (error) {
      if (!isBackupError(error, 'KEY_TAMPERED') && !isBackupError(error, 'CORRUPT')) throw error
      damage ??= error
    }
  }
  if (damage !== undefined) throw damage
  if (slots.length === 0) throw new BackupError('CORRUPT', `the repository at ${backend.location} has no key slots: without a copy of one it cannot be opened`)
  throw new BackupError('WRONG_PASSWORD', `wrong password for the repository at ${backend.location}`)
}

/** undefined where it tells nothing: what is wrong with it shows when all are read. */
async function tryLikely(repositoryId: Uint8Array, password: Uint8Array, { likely, whileDeriving }: UnlockOptions): Promise<Unlocked | 'another password' | undefined> {
  const bytes = await likely?.bytes
  if (likely === undefined || bytes === undefined) return undefined
  try {
    const slot = decodeSlot(likely.id, bytes)
    if (!equalBytes(slot.repositoryId, repositoryId)) return undefined
    const bundle = await openSlot(slot, password, whileDeriving)
    return bundle === undefined ? 'another password' : { bundle, slotId: slot.id }
  } catch (error) {
    if (!isBackupError(error)) throw error
    return undefined
  }
}

/** Every slot that is whole, and what is wrong with the others. */
export async function loadSlots(backend: Backend, repositoryId: Uint8Array, signal?: AbortSignal): Promise<{ slots: Slot[]; problems: BackupError[] }> {
  const slots: Slot[] = []
  const problems: BackupError[] = []
  for (const info of await listObjects(backend, 'keys', signal)) {
    try {
      const slot = decodeSlot(info.name, await loadObject(backend, info, signal))
      if (equalBytes(slot.repositoryId, repositoryId)) slots.push(slot)
      else problems.push(new BackupError('KEY_TAMPERED', `key slot ${info.name.slice(0, 8)} and the config belong to different repositories: one of them is damaged, or was put there from elsewhere`, { path: `keys/${info.name}` }))
    } catch (error) {
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) continue
      if (!isBackupError(error)) throw error
      if (error.code.startsWith('BACKEND')) throw error
      problems.push(new BackupError('KEY_TAMPERED', messageOf(error), { cause: error, path: `keys/${info.name}` }))
    }
  }
  return { slots, problems }
}
