/**
 * Commit registers as prune needs them: all that are listed, sorted into snapshots, fences, ghosts
 * and what cannot be read. No filter and no mark has a say here: a snapshot that is not in this list
 * loses its blobs.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError } from '../util/errors.ts'
import { listObjects, splitName } from '../repository/objects.ts'
import type { Repository } from '../repository/repository.ts'
import { openRegisterReader, type RegisterReaderOptions } from './register-reader.ts'
import { decodeSnapshot, type Snapshot } from './snapshot.ts'

/** One that cannot be read. */
export interface RegisterProblem {
  /** `<group>/<sid>` */
  readonly name: string
  readonly message: string
}

export interface RegisterList {
  /** Every register by its name `<group>/<sid>`, whatever it holds. */
  readonly listed: ReadonlySet<string>
  readonly snapshots: ReadonlyMap<string, Snapshot>
  /** Registers under sids that were swept: late duplicates of commits. */
  readonly ghosts: readonly string[]
  readonly problems: readonly RegisterProblem[]
}

/**
 * @param swept - names that the newest verdict lists as swept
 * @throws {BackupError} when the list fails, or an object cannot be loaded for a reason that may pass
 */
export async function loadRegisters(repository: Repository, swept: ReadonlySet<string>, options: RegisterReaderOptions = {}): Promise<RegisterList> {
  const { backend } = repository
  const { signal } = options
  const registers = await openRegisterReader(repository, options)
  const listed = new Set((await listObjects(backend, 'snapshots', signal)).map((info) => info.name))
  const snapshots = new Map<string, Snapshot>()
  const problems: RegisterProblem[] = []

  const read = async (name: string): Promise<Snapshot | RegisterProblem | undefined> => {
    const { group, id } = splitName(name)
    try {
      const body = await registers.read(name)
      return body === 'fence' ? undefined : { ...decodeSnapshot(body), id, group }
    } catch (error) {
      if (!isBackupError(error) || (error.code.startsWith('BACKEND') && error.code !== 'BACKEND_NOT_FOUND')) throw error
      return { name, message: error.message }
    }
  }

  const wanted = [...listed].filter((name) => !swept.has(name))
  for await (const { name, found } of mapOrdered(wanted, { concurrency: backend.connections, signal }, async (name) => ({ name, found: await read(name) }))) {
    if (found === undefined) continue
    if ('message' in found) problems.push(found)
    else snapshots.set(name, found)
  }
  return { listed, snapshots, ghosts: [...listed].filter((name) => swept.has(name)), problems }
}
