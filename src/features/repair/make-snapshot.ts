/**
 * Committing a snapshot that no backup made, by the protocol of a backup: in a session of its own, of
 * blobs that may be referred to, decided by its register. When a prune condemns packs meanwhile, or
 * fences the session, it is made again.
 */
import { ZSTD_LEVEL_DEFAULT } from '../../codec/zstd.ts'
import { BackupError } from '../../util/errors.ts'
import { type BlobStore, openBlobStore } from '../../repository/blob-store.ts'
import { probeOnce } from '../../repository/catalogue/probed.ts'
import type { Repository } from '../../repository/repository.ts'
import { beginSession, type Session } from '../../repository/session.ts'
import { findLastOfHost, rememberLast } from '../../snapshot/last-of-host.ts'
import { encodeSnapshot, type SnapshotRecord } from '../../snapshot/snapshot.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { REPAIR_KIND } from './in-session.ts'
import type { RepairOptions } from './types.ts'

/** All but the place in the chain of its host. */
export type UnchainedRecord = Omit<SnapshotRecord, 'sequence' | 'previous'>

export interface Making {
  readonly store: BlobStore
  /** Whether it is called again because of a prune: nothing known from before holds. */
  readonly isAnew: boolean
  readonly condemned: ReadonlySet<string>
}

const ATTEMPTS = 5

/**
 * @param make - called again when what it made may not be referred to any more
 * @returns the new snapshot's id
 * @throws {BackupError} SESSION_FENCED - again and again
 */
export async function makeSnapshot(repository: Repository, options: RepairOptions, make: (making: Making) => Promise<UnchainedRecord>): Promise<string> {
  await probeOnce(repository, options.signal)
  const fenced: string[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const session = await beginSession(repository, { person: options.person, kind: REPAIR_KIND, adopts: fenced, signal: options.signal })
    let isSettled = false
    try {
      const record = await makeLive(repository, session, options, { make, isAgain: attempt > 0 })
      const outcome = await commit(repository, session, record, options)
      isSettled = true
      if (outcome === 'committed') return session.sid
      fenced.push(session.sid)
    } finally {
      if (!isSettled) await session.abandon().catch(() => undefined)
    }
  }
  throw new BackupError('SESSION_FENCED', `the session was fenced by a prune ${ATTEMPTS} times in a row; nothing is lost, run it again when the prune is over`, { retryable: true })
}

async function makeLive(repository: Repository, session: Session, options: RepairOptions, { make, isAgain }: { readonly make: (making: Making) => Promise<UnchainedRecord>; readonly isAgain: boolean }): Promise<UnchainedRecord> {
  await using store = await openBlobStore(repository, session, { threads: options.threads, level: ZSTD_LEVEL_DEFAULT, verifyFraction: 1, dryRun: false, signal: options.signal })
  for (let isAnew = isAgain; ; ) {
    const record = await make({ store, isAnew, condemned: session.gc.condemned })
    await store.flush()
    isAnew = await session.refresh()
    if (!isAnew) return record
  }
}

async function commit(repository: Repository, session: Session, record: UnchainedRecord, { signal }: RepairOptions): Promise<'committed' | 'fenced'> {
  const known = await loadSnapshots(repository, { gc: session.gc, marks: false, signal })
  const last = await findLastOfHost(repository, record.host, known, session.gc, signal)
  const sequence = last.sequence + 1
  const outcome = await session.commit(encodeSnapshot({ ...record, sequence, previous: last.id }))
  if (outcome === 'committed') await rememberLast(repository, record.host, { name: session.name, sequence }, last)
  return outcome
}
