/** Keys, packs and repositories to test with; nothing of it is a stand-in for what is tested. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend, ObjectRef, ObjectType } from '../../src/backend/backend.ts'
import type { LockSetting } from '../../src/backend/with-object-lock.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import type { KdfParameters } from '../../src/crypto/kdf.ts'
import { type Envelope, newDataKey, wrapDataKey } from '../../src/repository/envelope.ts'
import { type Keyring, keyringOf, ownerBundle, writerBundle } from '../../src/repository/keyring.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from '../../src/repository/pack-entry.ts'
import { createRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { dataView, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, randomOf } from '../util/bytes-of.ts'

export const REPOSITORY_ID = bytesOf(100, 16)
export const owner: Keyring = keyringOf(ownerBundle(bytesOf(101, 32)), REPOSITORY_ID)
/** Another repository's owner with the same root key: only the repository's id differs. */
export const stranger: Keyring = keyringOf(ownerBundle(bytesOf(101, 32)), bytesOf(102, 16))
export const otherOwner: Keyring = keyringOf(ownerBundle(bytesOf(103, 32)), REPOSITORY_ID)
export const WRITER_GROUP = 7
export const writer: Keyring = keyringOf(writerBundle(owner, WRITER_GROUP, bytesOf(104, 32)), REPOSITORY_ID)

export const CHEAP_KDF: KdfParameters = { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 }
export const PASSWORD = utf8('a password of the tests')
export const PERSON = { user: 'ada', host: 'nautilus' }

export function idOf(seed: number): Uint8Array {
  return bytesOf(seed + 1_000_000, 32)
}

const OWN_ENVELOPES: readonly Envelope[] = [wrapDataKey(owner, 0, newDataKey(REPOSITORY_ID))]

/** A pack entry as a session would state it: frames of blobs with seeded ids and lengths. */
export function packEntryOf(seed: number, blobIds: readonly Uint8Array[] = Array.from({ length: 5 }, (_, i) => idOf(seed * 1000 + i)), envelopes: readonly Envelope[] = OWN_ENVELOPES): PackEntry {
  const random = randomOf(seed)
  const blobs = new Uint8Array(blobIds.length * BLOB_RECORD_BYTES)
  const frames: FrameEntry[] = []
  let offset = 60
  for (let i = 0; i < blobIds.length; ) {
    const blobCount = Math.min(blobIds.length - i, 1 + (random() % 3))
    let plainBytes = 0
    for (let j = 0; j < blobCount; j++, i++) {
      const length = random() % 5000
      blobs.set(blobIds[i]!, i * BLOB_RECORD_BYTES)
      dataView(blobs).setUint32(i * BLOB_RECORD_BYTES + 32, length, true)
      plainBytes += length
    }
    const storedBytes = 41 + (random() % 3000)
    frames.push({ offset, storedBytes, plainBytes, blobCount, codec: random() % 2, blobType: random() % 2 === 0 ? 'data' : 'tree', envelope: 0 })
    offset += storedBytes + (random() % 2)
  }
  return { packId: toHex(bytesOf(seed + 2_000_000, 32)), sizeBytes: offset + 500, session: bytesOf(seed, 16), envelopes, frames, blobs }
}

export interface MemoryRepository extends AsyncDisposable {
  readonly backend: Backend
  readonly repository: Repository
  readonly folder: string
  readonly notices: string[]
  /** Once more, with a catalogue of its own, over this or another view of the backend. */
  open(backend?: Backend): Promise<Repository>
}

export async function memoryRepository(inner: Backend = memoryBackend(), objectLock?: LockSetting): Promise<MemoryRepository> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-repository-'))
  await createRepository({ backend: inner, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF, chunkBytes: 16 * 1024, objectLock })
  const opened: Repository[] = []
  const notices: string[] = []
  const open = async (backend = inner): Promise<Repository> => {
    const repository = await openRepository({ backend, password: PASSWORD, cacheFolder: join(folder, `cache-${opened.length}`), onNotice: (message) => notices.push(message) })
    opened.push(repository)
    return repository
  }
  return {
    backend: inner,
    repository: await open(),
    folder,
    notices,
    open,
    async [Symbol.asyncDispose]() {
      for (const repository of opened) await repository[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function namesIn(backend: Backend, type: ObjectType): Promise<string[]> {
  const names: string[] = []
  for await (const info of backend.list(type)) names.push(info.name)
  return names.sort()
}

/** Puts other bytes in an object's place, as nobody but a broken or hostile store can. */
export async function replaceObject(backend: Backend, ref: ObjectRef, bytes: Uint8Array): Promise<void> {
  await backend.remove(ref)
  await backend.create(ref, [bytes])
}
