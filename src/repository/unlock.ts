/** From a password to a bundle of keys: every slot is tried, and a damaged one blocks no other. */
import type { Backend } from '../backend/backend.ts'
import { equalBytes } from '../util/bytes.ts'
import { BackupError, isBackupError, messageOf } from '../util/errors.ts'
import { decodeSlot, openSlot, type Slot } from './key-slot.ts'
import type { Bundle } from './keyring.ts'
import { listObjects, loadObject } from './objects.ts'

/**
 * @throws {BackupError} WRONG_PASSWORD - it opens none of the slots; KEY_TAMPERED - it opens none,
 * and a slot was changed, so it may still be the right one
 */
export async function unlock(backend: Backend, repositoryId: Uint8Array, password: Uint8Array, notice: (message: string) => void, signal?: AbortSignal, whileDeriving?: () => void): Promise<{ bundle: Bundle; slotId: string }> {
  let damage: BackupError | undefined
  const { slots, problems } = await loadSlots(backend, repositoryId, signal)
  for (const problem of problems) damage ??= problem
  for (const slot of slots) {
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
