/** Password slots: listing, adding, removing, and a new password for an old one. */
import { nowNs } from '../util/clock.ts'
import { BackupError } from '../util/errors.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { encodeSlot, openSlotLabel, type SlotLabel } from '../repository/key-slot.ts'
import { listObjects } from '../repository/objects.ts'
import type { Person, Repository } from '../repository/repository.ts'
import { loadSlots, unlock } from '../repository/unlock.ts'

export interface KeyInfo extends SlotLabel {
  readonly id: string
  readonly kdf: KdfParameters
  /** Whether this session was opened with it. */
  readonly isCurrent: boolean
}

export interface KeyList {
  readonly keys: readonly KeyInfo[]
  /** What is wrong with slots that could not be read. */
  readonly problems: readonly string[]
}

export async function listKeys(repository: Repository): Promise<KeyList> {
  const { slots, problems } = await loadSlots(repository.backend, repository.keyring.repositoryId)
  const keys = slots.map((slot) => ({
    ...openSlotLabel(slot, repository.keyring.config),
    id: slot.id,
    kdf: slot.kdf,
    isCurrent: slot.id === repository.slotId,
  }))
  return { keys: keys.sort((a, b) => (a.createdNs < b.createdNs ? -1 : 1)), problems: problems.map((problem) => problem.message) }
}

/**
 * A further password with the same rights as the current one.
 * @param currentPassword - the repository keeps no password and no bundle of its own
 * @throws {BackupError} PASSWORD_REFUSED, WRONG_PASSWORD
 */
export async function addKey(repository: Repository, currentPassword: Uint8Array, newPassword: Uint8Array, person: Person, kdf?: KdfParameters): Promise<string> {
  const { keyring, backend } = repository
  const { bundle } = await unlock(backend, keyring.repositoryId, currentPassword, repository.notice)
  const label: SlotLabel = { role: bundle.role, group: bundle.group, ...person, createdNs: nowNs() }
  const slot = await encodeSlot(keyring, bundle, label, newPassword, kdf)
  await backend.create({ type: 'keys', name: slot.id }, [slot.bytes])
  return slot.id
}

/**
 * @param prefix - of the slot's id
 * @param force - also the slot that opened this session
 * @throws {BackupError} INVALID_ARGUMENT - unknown, ambiguous, the last one, or the current one
 */
export async function removeKey(repository: Repository, prefix: string, force = false): Promise<string> {
  const ids = (await listObjects(repository.backend, 'keys')).map((info) => info.name)
  const found = ids.filter((id) => id.startsWith(prefix.toLowerCase()))
  if (prefix === '' || found.length === 0) throw new BackupError('INVALID_ARGUMENT', `there is no key "${prefix}"; "nacre key list" lists them`)
  if (found.length > 1) throw new BackupError('AMBIGUOUS_ID', `"${prefix}" may be any of ${found.length} keys: ${found.map((id) => id.slice(0, 16)).join(', ')}`)
  const id = found[0]!
  if (id === repository.slotId && !force) throw new BackupError('INVALID_ARGUMENT', `key ${id.slice(0, 8)} is the one in use; open the repository with another password to remove it`)
  const { slots } = await loadSlots(repository.backend, repository.keyring.repositoryId)
  const owners = slots.filter((slot) => slot.id !== id && openSlotLabel(slot, repository.keyring.config).role === 'owner')
  if (owners.length === 0) throw new BackupError('INVALID_ARGUMENT', `key ${id.slice(0, 8)} is the last owner's key: without it nobody could open the repository`)
  await repository.backend.remove({ type: 'keys', name: id })
  return id
}

/** The new slot is there before the old one goes: at no moment does neither open. */
export async function changePassword(repository: Repository, currentPassword: Uint8Array, newPassword: Uint8Array, person: Person, kdf?: KdfParameters): Promise<{ added: string; removed: string }> {
  const added = await addKey(repository, currentPassword, newPassword, person, kdf)
  const removed = await removeKey(repository, repository.slotId, true)
  return { added, removed }
}

