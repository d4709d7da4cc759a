/**
 * Reading commit registers: each is read once, and what stood in it is remembered in the catalogue
 * under its immutable name. Rows are sealed under a key of their own. Of many snapshots most stand in
 * one row together: to find and open a row for each took half of a listing's time.
 */
import { seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { concatBytes, dataView, utf8 } from '../util/bytes.ts'
import type { Catalogue } from '../repository/catalogue/catalogue.ts'
import { readSealedRow } from '../repository/catalogue/sealed-row.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { loadObject, splitName } from '../repository/objects.ts'
import { decodeRegister } from '../repository/register.ts'
import type { Repository } from '../repository/repository.ts'

export interface RegisterReaderOptions {
  readonly signal?: AbortSignal | undefined
  /** Read from the repository whatever is remembered: it may have been damaged since. */
  readonly afresh?: boolean | undefined
}

export interface RegisterReader {
  /**
   * A snapshot's record, encoded.
   * @param name - `<group>/<sid>`
   * @throws {BackupError} BACKEND_NOT_FOUND; CORRUPT - neither a snapshot nor a fence
   */
  read(name: string): Promise<Uint8Array | 'fence'>
  /** Puts what was read together into one row, if much of it does not stand there. */
  gather(): void
}

const FENCE = Uint8Array.of(0)
const SNAPSHOT = Uint8Array.of(1)

export async function openRegisterReader(repository: Repository, { signal, afresh = false }: RegisterReaderOptions = {}): Promise<RegisterReader> {
  const { backend, keyring } = repository
  const cache = snapshotCache(repository, await repository.catalogue())
  return {
    async read(name) {
      const known = afresh ? undefined : cache.get(name)
      if (known !== undefined) return known
      const { group } = splitName(name)
      const register = decodeRegister(keyring, group, name, await loadObject(backend, { type: 'snapshots', name }, signal), trustedWriters(repository, group))
      const found = register.kind === 'fence' ? 'fence' : register.body
      cache.put(name, found)
      return found
    },
    gather: cache.gather,
  }
}

/** Who has just made a snapshot need not read it. */
export async function rememberSnapshotRecord(repository: Repository, name: string, body: Uint8Array): Promise<void> {
  snapshotCache(repository, await repository.catalogue()).put(name, body)
}

interface SnapshotCache {
  get(name: string): Uint8Array | 'fence' | undefined
  put(name: string, body: Uint8Array | 'fence'): void
  gather(): void
}

/** The row of many; no snapshot has such a name. */
const TOGETHER = utf8('together')
/** So many that stand apart are worth writing the row anew. */
const APART_MOST = 32
/** What is beyond stays apart. */
const TOGETHER_BYTES = 8 * 1024 * 1024

function snapshotCache({ keyring }: Repository, { rows }: Catalogue): SnapshotCache {
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue snapshots')
  const opened = (name: Uint8Array): Uint8Array | undefined => readSealedRow(key, name, rows.get('snapshot', name), (bytes) => bytes)
  const together = decodeTogether(opened(TOGETHER))
  const used = new Map<string, Uint8Array>()
  let apart = 0
  return {
    get(name) {
      const gathered = together.get(name)
      const plain = gathered ?? opened(utf8(name))
      if (plain === undefined) return undefined
      if (gathered === undefined) apart++
      used.set(name, plain)
      return plain[0] === SNAPSHOT[0] ? plain.subarray(1) : 'fence'
    },
    put(name, body) {
      const plain = body === 'fence' ? FENCE : concatBytes(SNAPSHOT, body)
      used.set(name, plain)
      apart++
      rows.put('snapshot', utf8(name), seal(key, plain, utf8(name)))
    },
    gather() {
      if (apart <= APART_MOST) return
      let bytes = 0
      const fitting = [...used].filter(([name, plain]) => (bytes += name.length + plain.length) <= TOGETHER_BYTES)
      if (fitting.filter(([name]) => !together.has(name)).length > APART_MOST) rows.put('snapshot', TOGETHER, seal(key, encodeTogether(fitting), TOGETHER))
    },
  }
}

/** For each, length of the name u16 ‖ length of the body u32 ‖ name ‖ body. */
const HEAD_BYTES = 6

function encodeTogether(bodies: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts = bodies.flatMap(([name, body]) => {
    const text = utf8(name)
    const head = new Uint8Array(HEAD_BYTES)
    dataView(head).setUint16(0, text.length, true)
    dataView(head).setUint32(2, body.length, true)
    return [head, text, body]
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** @param bytes - as they were sealed */
function decodeTogether(bytes: Uint8Array | undefined): Map<string, Uint8Array> {
  const bodies = new Map<string, Uint8Array>()
  if (bytes === undefined) return bodies
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + HEAD_BYTES + buffer.readUInt16LE(at)
    const end = nameEnd + buffer.readUInt32LE(at + 2)
    bodies.set(buffer.toString('latin1', at + HEAD_BYTES, nameEnd), bytes.subarray(nameEnd, end))
    at = end
  }
  return bodies
}
