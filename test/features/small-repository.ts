/** Repositories in memory with small snapshots of a temporary folder, for tests of what looks at them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import type { KdfParameters } from '../../src/crypto/kdf.ts'
import { createRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { backup } from '../../src/snapshot/backup.ts'
import type { BackupOptions } from '../../src/snapshot/backup-types.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { utf8 } from '../../src/util/bytes.ts'

/** As cheap as a derivation may be: what it costs is no matter of these tests. */
export const CHEAP_KDF: KdfParameters = { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 }
export const PASSWORD = utf8('correct horse')
export const PERSON = { user: 'ada', host: 'nautilus' }

export interface SmallRepository extends AsyncDisposable {
  readonly repository: Repository
  readonly backend: Backend
  /** To be filled and backed up. */
  readonly source: string
  readonly cacheFolder: string
  /** Backs the source up, or other paths. */
  save(options?: Partial<BackupOptions>): Promise<Snapshot>
  /** Opens the repository once more, with a catalogue of its own. */
  reopen(password?: Uint8Array): Promise<Repository>
}

export async function smallRepository(): Promise<SmallRepository> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-features-'))
  const backend = memoryBackend()
  const cacheFolder = join(folder, 'cache')
  await createRepository({ backend, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF, chunkBytes: 16 * 1024 })
  const opened: Repository[] = []
  const reopen = async (password = PASSWORD): Promise<Repository> => {
    const repository = await openRepository({ backend, password, cacheFolder })
    opened.push(repository)
    return repository
  }
  const repository = await reopen()
  const source = join(folder, 'source')
  return {
    repository,
    backend,
    source,
    cacheFolder,
    reopen,
    async save(options = {}) {
      const { snapshotId } = await backup(repository, { paths: [source], person: PERSON, threads: 0, ...options })
      const { snapshots } = await loadSnapshots(repository)
      const made = snapshots.find((snapshot) => snapshot.id === snapshotId)
      if (made === undefined) throw new Error('the snapshot that was just made is not listed')
      return made
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
