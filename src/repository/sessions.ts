/**
 * Open sessions, and fencing them. A fence at a session's register decides that it never commits;
 * the session finds it when it tries to, and begins again with another sid. So a fence loses nothing
 * but work, and whether to wait before making one is patience and no matter of safety.
 */
import { BackupError, isBackupError } from '../util/errors.ts'
import { listObjects, loadObject, splitName } from './objects.ts'
import { trustedWriters } from './index-loader.ts'
import { encodeFence } from './register.ts'
import type { Repository } from './repository.ts'
import { decodeSession, type SessionInfo } from './session-object.ts'

export interface FoundSession {
  /** `<group>/<sid>` */
  readonly name: string
  readonly group: number
  readonly sid: string
  /** undefined when the object cannot be read. */
  readonly info: SessionInfo | undefined
  readonly problem: string | undefined
  /** Whether it is of a later version of the program, which may well be at work. */
  readonly isOfLaterVersion: boolean
  /** Whether its register exists: it has committed or was fenced, and may be removed. */
  readonly isDecided: boolean
}

/**
 * Sessions are listed before registers: one that is gone from the first list has its register in
 * the second.
 * @throws {BackupError} when a list fails
 */
export async function findSessions(repository: Repository, signal?: AbortSignal): Promise<FoundSession[]> {
  const listed = await listObjects(repository.backend, 'sessions', signal)
  if (listed.length === 0) return []
  const registers = new Set((await listObjects(repository.backend, 'snapshots', signal)).map((info) => info.name))
  const found: FoundSession[] = []
  for (const { name } of listed) {
    const session = await readSession(repository, name, registers.has(name), signal)
    if (session !== undefined) found.push(session)
  }
  return found
}

/** undefined when it is gone by now. */
async function readSession(repository: Repository, name: string, isDecided: boolean, signal: AbortSignal | undefined): Promise<FoundSession | undefined> {
  const { group, id: sid } = splitName(name)
  const session = { name, group, sid, info: undefined, problem: undefined, isOfLaterVersion: false, isDecided }
  try {
    const bytes = await loadObject(repository.backend, { type: 'sessions', name }, signal)
    return { ...session, info: decodeSession(repository.keyring, group, name, bytes, trustedWriters(repository, group)) }
  } catch (error) {
    if (isBackupError(error, 'BACKEND_NOT_FOUND')) return undefined
    if (!isBackupError(error) || error.code.startsWith('BACKEND')) throw error
    return { ...session, problem: error.message, isOfLaterVersion: error.code === 'REPOSITORY_VERSION' }
  }
}

/**
 * Makes sure that a session is decided: by a fence, or by what stood at its register before.
 * @throws {BackupError} OWNER_NEEDED - only an owner may fence the session of another
 */
export async function fenceSession(repository: Repository, name: string, signal?: AbortSignal): Promise<'fenced' | 'decided before'> {
  const { backend, keyring } = repository
  if (keyring.role !== 'owner') throw new BackupError('OWNER_NEEDED', 'only an owner\'s password may fence sessions')
  const made = await backend.create({ type: 'snapshots', name }, [encodeFence(keyring, name, splitName(name).group)], { signal })
  return made === 'created' ? 'fenced' : 'decided before'
}
