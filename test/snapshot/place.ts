/** A repository in memory beside a source folder and targets, for tests that back up and restore. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../../src/backend/backend.ts'
import type { LockSetting } from '../../src/backend/with-object-lock.ts'
import { encodeCbor } from '../../src/codec/cbor.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { backup } from '../../src/snapshot/backup.ts'
import type { BackupOptions, BackupResult } from '../../src/snapshot/backup-types.ts'
import { nodeToCbor } from '../../src/snapshot/node.ts'
import { restore } from '../../src/snapshot/restore/restore.ts'
import type { RestoreOptions, RestoreResult } from '../../src/snapshot/restore/types.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { findPath } from '../../src/snapshot/tree-walk.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { memoryRepository, PERSON } from '../repository/support.ts'

export interface SnapshotPlace extends AsyncDisposable {
  readonly repository: Repository
  readonly backend: Backend
  readonly notices: string[]
  readonly folder: string
  /** There, and empty. */
  readonly source: string
  open(backend?: Backend): Promise<Repository>
  save(options?: Partial<BackupOptions>, repository?: Repository): Promise<BackupResult>
  /** The source's own node: what lies above it is the system's, where others are at work. */
  treeOf(result: Pick<BackupResult, 'tree'>): Promise<string>
  /** The newest. */
  latest(repository?: Repository): Promise<Snapshot>
  /** The children of the source into a new target. */
  restoreSource(snapshot?: Snapshot, options?: Partial<RestoreOptions>, repository?: Repository): Promise<RestoreResult & { readonly target: string }>
}

export async function snapshotPlace(backend?: Backend, objectLock?: LockSetting): Promise<SnapshotPlace> {
  const at = await memoryRepository(backend, objectLock)
  const source = join(at.folder, 'source')
  mkdirSync(source)
  let targets = 0
  const latest = async (repository = at.repository): Promise<Snapshot> => {
    const { snapshots, problems } = await loadSnapshots(repository)
    const last = snapshots.at(-1)
    if (last === undefined || problems.length > 0) throw new Error(`no snapshot, or broken ones: ${problems.map(({ message }) => message).join()}`)
    return last
  }
  return {
    ...at,
    source,
    latest,
    async treeOf({ tree }) {
      const node = await findPath(await openTreeReader(at.repository), tree, utf8(source))
      return toHex(encodeCbor(nodeToCbor(node)))
    },
    save: (options = {}, repository = at.repository) => backup(repository, { paths: [source], person: PERSON, threads: 0, ...options }),
    async restoreSource(snapshot, options = {}, repository = at.repository) {
      const target = join(at.folder, `target-${targets++}`)
      const result = await restore(repository, { snapshot: snapshot ?? (await latest(repository)), path: utf8(source), target, threads: 0, ...options })
      return { ...result, target }
    },
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  }
}
