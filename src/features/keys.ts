/** Password slots: listing, adding, removing, and a new password for an old one. */
import { nowNs } from '../util/clock.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { decodeSlot, encodeSlot, openSlot, openSlotLabel, type SlotLabel } from '../repository/key-slot.ts'
import { listObjects, loadObject } from '../repository/objects.ts'
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
  const messages = problems.map((problem) => problem.message)
  const keys: KeyInfo[] = []
  for (const slot of slots) {
    try {
      const label = openSlotLabel(slot, repository.keyring.config)
      keys.push({ ...label, id: slot.id, kdf: slot.kdf, isCurrent: slot.id === repository.slotId })
    } catch (error) {
      // Whoever may write there can make an object that is named by its bytes, but no label that opens.
      if (!isBackupError(error)) throw error
      messages.push(`key slot ${slot.id.slice(0, 8)} was not made by a holder of this repository's keys: ${error.message}`)
    }
  }
  keys.sort((a, b) => (a.createdNs < b.createdNs ? -1 : a.createdNs > b.createdNs ? 1 : a.id < b.id ? -1 : 1))
  return { keys, problems: messages }
}

/**
 * A further password with the same rights as the current one.
 * @param currentPassword - the repository keeps no password and no bundle of its own
 * @returns the new slot's id
 * @throws {BackupError} PASSWORD_REFUSED, WRONG_PASSWORD; KEY_TAMPERED - the storage does not give
 * back what was written
 */
export async function addKey(repository: Repository, currentPassword: Uint8Array, newPassword: Uint8Array, person: Person, kdf?: KdfParameters): Promise<string> {
  return (await addSlot(repository, currentPassword, newPassword, person, kdf)).added
}

async function addSlot(repository: Repository, currentPassword: Uint8Array, newPassword: Uint8Array, person: Person, kdf: KdfParameters | undefined): Promise<{ added: string; openedWith: string }> {
  const { keyring, backend } = repository
  const { bundle, slotId } = await unlock(backend, keyring.repositoryId, currentPassword, { notice: repository.notice })
  const label: SlotLabel = { role: bundle.role, group: bundle.group, ...person, createdNs: nowNs() }
  const slot = await encodeSlot(keyring, bundle, label, newPassword, kdf)
  const ref = { type: 'keys', name: slot.id } as const
  await backend.create(ref, [slot.bytes])
  // A password that somebody will count on is tried once, with what the storage has of it.
  if ((await openSlot(decodeSlot(slot.id, await loadObject(backend, ref)), newPassword)) === undefined) {
    throw new BackupError('KEY_TAMPERED', `key slot ${slot.id.slice(0, 8)} was written, but does not open with its password`)
  }
  return { added: slot.id, openedWith: slotId }
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
  const owners = (await listKeys(repository)).keys.filter((key) => key.id !== id && key.role === 'owner')
  if (owners.length === 0) throw new BackupError('INVALID_ARGUMENT', `key ${id.slice(0, 8)} is the last owner's key: without it nobody could open the repository`)
  await repository.backend.remove({ type: 'keys', name: id })
  return id
}

/**
 * Puts a new password in the place of the current one; other slots stay. The new slot is there, and
 * has been tried, before the old one goes: at no moment does neither open.
 * @throws {BackupError} PASSWORD_REFUSED, WRONG_PASSWORD, KEY_TAMPERED; what the backend throws when
 * the old slot cannot be removed: then both passwords open, and the message says so
 */
export async function changePassword(repository: Repository, currentPassword: Uint8Array, newPassword: Uint8Array, person: Person, kdf?: KdfParameters): Promise<{ added: string; removed: string }> {
  const { added, openedWith } = await addSlot(repository, currentPassword, newPassword, person, kdf)
  try {
    return { added, removed: await removeKey(repository, openedWith, true) }
  } catch (cause) {
    if (!isBackupError(cause)) throw cause
    throw new BackupError(cause.code, `the new password is in place, but the old one still opens the repository (${cause.message}); remove key ${openedWith.slice(0, 8)} with "nacre key remove"`, { cause })
  }
}
