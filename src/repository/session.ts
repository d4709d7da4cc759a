/**
 * A backup session's protocol: (1) say that it is open, (2) learn what is condemned, (3) load the
 * index and the list of packs, (4) store what is new, packs before index, (5) look at what has been
 * condemned since, (6) create the commit register, (7) only then remove the session's object.
 *
 * A session may be removed, by anyone, only when its register exists; so to abort it fences itself
 * first, or a commit still on its way would land after a prune that saw no session.
 */
import type { Backend } from '../backend/backend.ts'
import { randomBytes } from '../crypto/derive.ts'
import { nowNs } from '../util/clock.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { BackupError, messageOf } from '../util/errors.ts'
import { programVersion } from '../util/version-file.ts'
import type { DataKey, Envelope } from './envelope.ts'
import { newDataKey, wrapDataKey } from './envelope.ts'
import { SID_BYTES } from './format.ts'
import { type GcState, readGcState } from './gc-state.ts'
import { type LoadedIndex, loadReadableIndex } from './index-loader.ts'
import { loadObject, requireStored } from './objects.ts'
import { encodeFence, encodeSnapshotRegister, looksLikeFence } from './register.ts'
import type { Person, Repository } from './repository.ts'
import { encodeSession } from './session-object.ts'

export interface Session {
  /** 32 hex digits: the id of the snapshot it may become. */
  readonly sid: string
  /** `<group>/<sid>` */
  readonly name: string
  readonly dataKey: DataKey
  readonly envelopes: readonly Envelope[]
  readonly index: LoadedIndex
  readonly gc: GcState
  /** Step 5: loads the index and what is condemned anew. Whether more is condemned than before. */
  refresh(): Promise<boolean>
  /** Step 6 and 7. `fenced`: somebody has decided that this session never commits. */
  commit(body: Uint8Array): Promise<'committed' | 'fenced'>
  /** Fences itself and leaves: nothing refers to what it stored. */
  abandon(): Promise<void>
}

export interface SessionOptions {
  readonly person: Person
  readonly kind: string
  /** Sids of sessions that were fenced and whose packs this one goes on to use. */
  readonly adopts?: readonly string[] | undefined
  /** Called when it is known what is condemned: what needs no index can be asked for while that is loaded. */
  readonly whileLoading?: ((gc: GcState) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export async function beginSession(repository: Repository, options: SessionOptions): Promise<Session> {
  const { backend, keyring } = repository
  const { signal } = options
  const session = randomBytes(SID_BYTES)
  const sid = toHex(session)
  const name = `${keyring.group}/${sid}`
  const info = { startedNs: nowNs(), ...options.person, program: programVersion(), kind: options.kind, adopts: options.adopts, isUnguarded: backend.unguarded !== undefined }
  await backend.create({ type: 'sessions', name }, [encodeSession(keyring, name, info)], { signal })
  const dataKey = newDataKey(keyring.repositoryId)
  const envelopes = [wrapDataKey(keyring, keyring.group, dataKey)]
  let gc = await readGcState(repository, signal)
  options.whileLoading?.(gc)
  let index = await loadReadableIndex(repository, { signal, referring: gc })

  return {
    sid,
    name,
    dataKey,
    envelopes,
    get index() {
      return index
    },
    get gc() {
      return gc
    },
    async refresh() {
      const before = gc.condemned
      gc = await readGcState(repository, signal)
      const isMore = [...gc.condemned].some((pack) => !before.has(pack))
      if (isMore) index = await loadReadableIndex(repository, { signal, referring: gc })
      return isMore
    },
    async commit(body) {
      const register = { type: 'snapshots', name } as const
      const bytes = encodeSnapshotRegister(keyring, name, dataKey, envelopes, body)
      if ((await backend.create(register, [bytes], { signal })) === 'exists') {
        const standing = await loadObject(backend, register, signal)
        // The same bytes are our own, committed by a call whose answer was lost.
        if (!equalBytes(standing, bytes)) {
          if (!looksLikeFence(standing)) throw new BackupError('CORRUPT', `the register ${name} holds something that is neither this snapshot nor a fence`)
          await removeSession(backend, name, repository.notice)
          return 'fenced'
        }
      }
      await requireStored(backend, register, bytes.length, { what: `this snapshot was not saved; "nacre forget ${sid}" gives up what is left of it. Run the backup again`, signal })
      await removeSession(backend, name, repository.notice)
      return 'committed'
    },
    async abandon() {
      await backend.create({ type: 'snapshots', name }, [encodeFence(keyring, name, keyring.group)])
      await removeSession(backend, name, repository.notice)
    },
  }
}

/** Without permission to delete, the session stays until a prune removes it. */
async function removeSession(backend: Backend, name: string, notice: (message: string) => void): Promise<void> {
  try {
    await backend.remove({ type: 'sessions', name })
  } catch (error) {
    notice(`the session ${name} could not be removed (${messageOf(error)}); the next prune will`)
  }
}
