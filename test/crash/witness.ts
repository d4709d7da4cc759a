/**
 * Remembers what the source looked like when each snapshot was committed, and says whether the
 * repository still gives it back: every byte is read and every snapshot that nobody forgot is restored,
 * each time by an opening that knows nothing from before.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { checkRepository } from '../../src/features/check.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { restore } from '../../src/snapshot/restore/restore.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { utf8 } from '../../src/util/bytes.ts'
import type { Place } from '../support/nacre.ts'
import { count } from '../support/torture.ts'

export interface Witness {
  /** Copies the source for each snapshot that was not seen before; their ids. */
  note(): Promise<string[]>
  /** Of one that the caller knows, with where it lay and what it looked like then. */
  remember(id: string, like: string, from?: string): void
  forgotten(...ids: readonly string[]): void
  /** @param note - what is told with a failure */
  expectWhole(note: string): Promise<void>
  /** Forgets all that it remembers. */
  reset(): void
}

/** Opens the repository with an empty cache. */
async function looking<T>(at: Place, look: (repository: Repository) => Promise<T>): Promise<T> {
  const cacheFolder = mkdtempSync(join(at.folder, 'look-'))
  const repository = await openRepository({ backend: await localBackend(at.repo), password: utf8(at.environment['NACRE_PASSWORD']!), cacheFolder })
  try {
    return await look(repository)
  } finally {
    await repository[Symbol.asyncDispose]()
    rmSync(cacheFolder, { recursive: true })
  }
}

export function snapshotsIn(at: Place): Promise<readonly Snapshot[]> {
  return looking(at, async (repository) => {
    const { snapshots, problems } = await loadSnapshots(repository)
    expect(problems).toEqual([])
    return snapshots
  })
}

export function createWitness(at: Place, source: string): Witness {
  const copies = mkdtempSync(join(at.folder, 'witness-'))
  const seen = new Map<string, { readonly like: string; readonly from: string }>()
  const gone = new Set<string>()

  const expectRestores = async (repository: Repository, snapshot: Snapshot, note: string): Promise<void> => {
    const { like, from } = seen.get(snapshot.id)!
    const target = join(at.folder, `restored-${snapshot.id.slice(0, 8)}`)
    const restored = await restore(repository, { snapshot, path: utf8(from), target, threads: 0 })
    expect(restored.problems, `restore of ${snapshot.id.slice(0, 8)}, ${note}`).toEqual([])
    execFileSync('diff', ['-r', like, target])
    rmSync(target, { recursive: true })
    count('restores')
  }

  return {
    async note() {
      const fresh = (await snapshotsIn(at)).map(({ id }) => id).filter((id) => !seen.has(id))
      for (const id of fresh) {
        seen.set(id, { like: join(copies, id), from: source })
        cpSync(source, join(copies, id), { recursive: true })
      }
      return fresh
    },
    remember: (id, like, from = source) => void seen.set(id, { like, from }),
    forgotten: (...ids) => ids.forEach((id) => gone.add(id)),
    expectWhole: (note) =>
      looking(at, async (repository) => {
        const { findings } = await checkRepository(repository, { threads: 0, readData: { kind: 'all' } })
        expect(findings.filter(({ severity }) => severity === 'error'), note).toEqual([])
        count('checks')
        const { snapshots } = await loadSnapshots(repository)
        for (const id of seen.keys()) {
          if (gone.has(id)) continue
          const snapshot = snapshots.find((one) => one.id === id)
          expect(snapshot, `snapshot ${id.slice(0, 8)} is listed, ${note}`).toBeDefined()
          await expectRestores(repository, snapshot!, note)
        }
      }),
    reset() {
      seen.clear()
      gone.clear()
      rmSync(copies, { recursive: true })
      mkdirSync(copies)
    },
  }
}
