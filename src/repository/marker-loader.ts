/**
 * What the owner has said about snapshots after they were made: which are forgotten, and what marks
 * they bear. A record that is not the owner's word is a problem with a name and is never obeyed.
 *
 * Records are read once: those seen stand together in one row of the catalogue, so that what has
 * gone from the repository goes from the row with the next list. A damaged one is read each time.
 */
import type { ObjectInfo } from '../backend/backend.ts'
import { seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { asArray, asBytes, asText, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { utf8 } from '../util/bytes.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { readSealedRow } from './catalogue/sealed-row.ts'
import { KIB, MIB } from './format.ts'
import { type Forgetting, forgettingOf, forgottenBody } from './forgotten.ts'
import { type Mark, markBody, markOf, splitMarkName } from './mark.ts'
import { listObjects, loadObject, splitName } from './objects.ts'
import type { Repository } from './repository.ts'

export interface MarkerProblem {
  /** The object as it is named in the repository: `forgotten/<group>/<sid>`, `marks/<group>/<sid>.<n>`. */
  readonly object: string
  /** `<group>/<sid>` of the snapshot that it is about. */
  readonly snapshot: string
  readonly message: string
}

export interface ForgottenList {
  /** By `<group>/<sid>` of the snapshot, whether that still stands there or not. */
  readonly forgotten: ReadonlyMap<string, Forgetting>
  readonly problems: readonly MarkerProblem[]
}

export interface NumberedMark {
  readonly n: number
  readonly mark: Mark
}

export interface MarkList {
  /** By `<group>/<sid>` of the snapshot: of its marks the highest that is the owner's word. */
  readonly marks: ReadonlyMap<string, NumberedMark>
  readonly problems: readonly MarkerProblem[]
}

interface LoaderOptions {
  readonly signal?: AbortSignal | undefined
  /** Read all anew that is remembered from before: for who looks for damage. */
  readonly afresh?: boolean | undefined
}

type MarkerType = 'forgotten' | 'marks'

/** Far above what any such record needs. */
const BYTES_LIMIT = { forgotten: 64 * KIB, marks: MIB } as const
const BODY_OF = { forgotten: forgottenBody, marks: markBody } as const

/** @throws {BackupError} when the list fails: then nothing may be taken for not forgotten, or for forgotten */
export async function loadForgotten(repository: Repository, options: LoaderOptions = {}): Promise<ForgottenList> {
  const listed = await listOwn(repository, 'forgotten', options)
  const reader = await openReader(repository, 'forgotten', options)
  const forgotten = new Map<string, Forgetting>()
  for (const [name, body] of await reader.read(listed)) reader.take(name, () => forgotten.set(name, forgettingOf(body)))
  reader.remember()
  return { forgotten, problems: reader.problems }
}

/** @throws {BackupError} when the list fails */
export async function loadMarks(repository: Repository, options: LoaderOptions = {}): Promise<MarkList> {
  let rest = await listOwn(repository, 'marks', options)
  const reader = await openReader(repository, 'marks', options)
  const marks = new Map<string, NumberedMark>()
  // Highest first; a snapshot whose highest does not count falls back to the one below it.
  while (rest.length > 0) {
    const highest = highestOfEach(rest)
    for (const [name, body] of await reader.read([...highest.values()])) {
      const { snapshot, n } = splitMarkName(name)
      reader.take(name, () => marks.set(snapshot, { n, mark: markOf(body) }))
    }
    rest = rest.filter((info) => !marks.has(splitMarkName(info.name).snapshot) && highest.get(splitMarkName(info.name).snapshot) !== info)
  }
  reader.remember()
  return { marks, problems: reader.problems }
}

function problemOf(type: MarkerType, name: string, message: string): MarkerProblem {
  return { object: `${type}/${name}`, snapshot: type === 'marks' ? splitMarkName(name).snapshot : name, message }
}

async function listOwn({ backend, keyring }: Repository, type: MarkerType, { signal }: LoaderOptions): Promise<ObjectInfo[]> {
  return (await listObjects(backend, type, signal)).filter((info) => keyring.role === 'owner' || splitName(info.name).group === keyring.group)
}

function highestOfEach(listed: readonly ObjectInfo[]): Map<string, ObjectInfo> {
  const highest = new Map<string, ObjectInfo>()
  for (const info of listed) {
    const { snapshot, n } = splitMarkName(info.name)
    const known = highest.get(snapshot)
    if (known === undefined || splitMarkName(known.name).n < n) highest.set(snapshot, info)
  }
  return highest
}

interface MarkerReader {
  readonly problems: MarkerProblem[]
  /** The bodies of those listed that are the owner's word, by name. */
  read(listed: readonly ObjectInfo[]): Promise<Map<string, Uint8Array>>
  /** Decodes a body; one that cannot be is a problem. */
  take(name: string, decode: () => unknown): void
  /** Puts what was read into the catalogue, in place of what stood there. */
  remember(): void
}

async function openReader(repository: Repository, type: MarkerType, { signal, afresh }: LoaderOptions): Promise<MarkerReader> {
  const { backend, keyring } = repository
  const { rows } = await repository.catalogue()
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue markers')
  const remembered = decodeRow(key, type, rows.get('marker', utf8(type)))
  const known = afresh === true ? new Map<string, Uint8Array>() : remembered
  const used = new Map<string, Uint8Array>()
  const problems: MarkerProblem[] = []
  const load = async (info: ObjectInfo): Promise<{ name: string; body: Uint8Array | undefined | MarkerProblem }> => {
    const { name } = info
    const body = known.get(name)
    if (body !== undefined) return { name, body }
    try {
      if (info.sizeBytes > BYTES_LIMIT[type]) throw new BackupError('CORRUPT', `${type}/${name} has ${info.sizeBytes} bytes, more than such an object may have`)
      return { name, body: BODY_OF[type](keyring, name, await loadObject(backend, info, signal)) }
    } catch (error) {
      // Taken away between list and read.
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return { name, body: undefined }
      if (!isBackupError(error) || error.code.startsWith('BACKEND')) throw error
      return { name, body: problemOf(type, name, error.message) }
    }
  }
  return {
    problems,
    async read(listed) {
      const found = new Map<string, Uint8Array>()
      for await (const { name, body } of mapOrdered(listed, { concurrency: backend.connections, signal }, load)) {
        if (body instanceof Uint8Array) {
          found.set(name, body)
          used.set(name, body)
        } else if (body !== undefined) problems.push(body)
      }
      return found
    },
    take(name, decode) {
      try {
        decode()
      } catch (error) {
        if (!isBackupError(error, 'CORRUPT')) throw error
        problems.push(problemOf(type, name, error.message))
      }
    },
    remember() {
      const isSame = remembered.size === used.size && [...used.keys()].every((name) => remembered.has(name))
      if (!isSame) rows.put('marker', utf8(type), seal(key, encodeCbor([...used].flat()), utf8(type)))
    },
  }
}

function decodeRow(key: Uint8Array, type: MarkerType, row: Uint8Array | undefined): Map<string, Uint8Array> {
  const decode = (bytes: Uint8Array): Map<string, Uint8Array> => {
    const known = new Map<string, Uint8Array>()
    const fields = asArray(decodeCbor(bytes), type)
    for (let i = 0; i + 1 < fields.length; i += 2) known.set(asText(fields[i], 'name'), asBytes(fields[i + 1], 'body'))
    return known
  }
  return readSealedRow(key, utf8(type), row, decode) ?? new Map<string, Uint8Array>()
}
