/** What only an owner may do: a writer's word about it would never be obeyed. */
import { BackupError } from '../util/errors.ts'
import type { Repository } from '../repository/repository.ts'

/** @throws {BackupError} OWNER_NEEDED */
export function requireOwner(repository: Repository, what: string): void {
  if (repository.keyring.role === 'owner') return
  throw new BackupError('OWNER_NEEDED', `this key may write backups and not ${what}: use an owner's password`)
}
