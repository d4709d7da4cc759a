/**
 * Who may add and not delete can back up and restore, and is to learn that he cannot prune before a
 * plan is made and packs are written anew, and not at the first pack.
 */
import { probeRef } from '../../backend/layout.ts'
import { toHex } from '../../util/bytes.ts'
import { BackupError, isBackupError } from '../../util/errors.ts'
import type { Repository } from '../../repository/repository.ts'

/** @throws {BackupError} PRUNE_REFUSED */
export async function requireDeletion({ backend }: Repository, signal: AbortSignal | undefined): Promise<void> {
  const ref = probeRef(toHex(crypto.getRandomValues(new Uint8Array(16))))
  await backend.create(ref, [], { signal })
  try {
    await backend.remove(ref, { signal })
  } catch (cause) {
    if (!isBackupError(cause, 'BACKEND_DENIED')) throw cause
    throw new BackupError('PRUNE_REFUSED', `nothing was pruned: this user may not delete at ${backend.location} (${cause.message})`, { cause, path: backend.location })
  }
}
