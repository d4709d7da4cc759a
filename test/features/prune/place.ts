/** A repository in memory with a history to prune, and ways to forget, prune and look at what is left. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Backend } from '../../../src/backend/backend.ts'
import type { LockSetting } from '../../../src/backend/with-object-lock.ts'
import { memoryBackend } from '../../../src/backend/memory.ts'
import { checkRepository } from '../../../src/features/check.ts'
import { prune } from '../../../src/features/prune/prune.ts'
import type { PruneOptions, PruneResult } from '../../../src/features/prune/types.ts'
import { encodeForgotten } from '../../../src/repository/forgotten.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import type { Snapshot } from '../../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../../src/snapshot/snapshots.ts'
import { nowNs } from '../../../src/util/clock.ts'
import { PERSON } from '../../repository/support.ts'
import { type SnapshotPlace, snapshotPlace } from '../../snapshot/place.ts'
import { look } from '../../snapshot/trees.ts'
import { bytesOf } from '../../util/bytes-of.ts'

export interface PrunePlace extends SnapshotPlace {
  /** Writes files `from` to `to`; of the same version they are the same. */
  fill(from: number, to: number, version?: number): void
  empty(from: number, to: number): void
  /** Backs up, and remembers what the source looked like. */
  keep(repository?: Repository): Promise<string>
  forget(id: string, timeNs?: bigint): Promise<void>
  prune(options?: Partial<PruneOptions>, repository?: Repository): Promise<PruneResult>
  /** Every remembered snapshot that is not forgotten restores as it was, and check finds no error. */
  expectWhole(repository?: Repository): Promise<void>
  /** The first half of it. */
  expectRestores(repository: Repository): Promise<void>
}

const BYTES = 60_000

export async function prunePlace(backend: Backend = memoryBackend(), objectLock?: LockSetting): Promise<PrunePlace> {
  const at = await snapshotPlace(backend, objectLock)
  const looks = new Map<string, unknown>()
  const forgotten = new Set<string>()
  const file = (i: number): string => join(at.source, `file ${i}`)
  return {
    ...at,
    fill(from, to, version = 0) {
      for (let i = from; i < to; i++) writeFileSync(file(i), bytesOf(i + version * 10_000, BYTES))
    },
    empty(from, to) {
      for (let i = from; i < to; i++) rmSync(file(i), { force: true })
    },
    async keep(repository) {
      const { snapshotId } = await at.save({}, repository)
      looks.set(snapshotId!, look(at.source))
      return snapshotId!
    },
    async forget(id, timeNs = nowNs()) {
      forgotten.add(id)
      const name = `0/${id}`
      await backend.create({ type: 'forgotten', name }, [encodeForgotten(at.repository.keyring, name, { timeNs, ...PERSON, program: 'test' })])
    },
    prune: (options = {}, repository = at.repository) => prune(repository, { person: PERSON, threads: 0, ...options }),
    expectRestores,
    async expectWhole(repository) {
      const fresh = repository ?? (await at.open())
      await expectRestores(fresh)
      const { findings } = await checkRepository(fresh, { threads: 0, readData: { kind: 'all' } })
      expect(findings.filter((finding) => finding.severity === 'error')).toEqual([])
    },
  }

  async function expectRestores(fresh: Repository): Promise<void> {
    const { snapshots, problems } = await loadSnapshots(fresh)
    expect(problems).toEqual([])
    const byId = new Map<string, Snapshot>(snapshots.map((snapshot) => [snapshot.id, snapshot]))
    for (const [id, before] of looks) {
      if (forgotten.has(id)) continue
      expect(byId.has(id), `snapshot ${id} is there`).toBe(true)
      const restored = await at.restoreSource(byId.get(id), {}, fresh)
      expect(restored.problems).toEqual([])
      expect(look(restored.target)).toEqual(before)
      rmSync(restored.target, { recursive: true })
    }
  }
}
