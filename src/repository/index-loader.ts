/**
 * Bringing the catalogue up to date: one list, and the index objects that are new to it. An index
 * object that is gone when it is read was replaced by another: then the list is asked again, once.
 */
import type { Backend, ObjectInfo } from '../backend/backend.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import type { Catalogue } from './catalogue/catalogue.ts'
import { decodeIndex, type IndexObject } from './index-object.ts'
import { listObjects, loadObject, splitName } from './objects.ts'
import type { Repository } from './repository.ts'

export interface IndexProblem {
  readonly name: string
  readonly message: string
}

export interface LoadedIndex {
  readonly catalogue: Catalogue
  /** Packs by id, with the sizes that the list of packs gave; undefined when it was not asked. */
  readonly packs: ReadonlyMap<string, number> | undefined
  /** Packs that index objects state and that may not be referred to. */
  readonly deadPacks: number
  readonly problems: readonly IndexProblem[]
}

export interface Referring {
  readonly condemned: ReadonlySet<string>
}

const lastReferring = new WeakMap<Catalogue, Referring>()
/** Names of damaged objects that the user has been told of. */
const toldDamage = new WeakMap<Catalogue, Set<string>>()

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * Ask for the list of packs as well, and let only those count that are listed with the size that
   * the index states and are not condemned: the rule for whoever refers to blobs. `as before` keeps
   * to what was asked last: who only reads must not make live what a session may not refer to.
   */
  readonly referring?: Referring | 'as before' | undefined
  /** Collect damaged index objects instead of throwing at the first. */
  readonly tolerant?: boolean | undefined
  /**
   * Read all anew that was absorbed before: for who looks for damage. What is damaged now is known no
   * more, and is met as if it were new.
   */
  readonly afresh?: boolean | undefined
  /** Called with each object that was read anew and is as it was. */
  readonly onRead?: ((index: IndexObject) => void) | undefined
  /** Groups whose index is wanted; by default the holder's own. */
  readonly group?: number | undefined
}

/** @throws {BackupError} CORRUPT - an index object does not open */
export async function loadIndex(repository: Repository, options: LoadOptions = {}): Promise<LoadedIndex> {
  const group = options.group ?? repository.keyring.group
  const catalogue = await repository.catalogue()
  let problems = await absorbListed(repository, catalogue, group, options)
  if (problems === undefined) problems = await absorbListed(repository, catalogue, group, options)
  if (problems === undefined) throw new BackupError('CORRUPT', 'index objects that are listed cannot be found, twice in a row; the storage does not keep its word')
  const referring = options.referring === 'as before' ? lastReferring.get(catalogue) : options.referring
  if (referring === undefined) {
    lastReferring.delete(catalogue)
    return { catalogue, packs: undefined, deadPacks: catalogue.setLive(() => true), problems }
  }
  const packs = await listPacks(repository.backend, options.signal)
  const { condemned } = referring
  lastReferring.set(catalogue, referring)
  const deadPacks = catalogue.setLive((pack) => packs.get(pack.packId) === pack.sizeBytes && !condemned.has(pack.packId) && pack.group === group)
  return { catalogue, packs, deadPacks, problems }
}

/**
 * The index for whoever can do with what is left of it: a damaged object is told, once, and all that
 * others state can be read. Who decides what is deleted must not use this.
 */
export async function loadReadableIndex(repository: Repository, options: Omit<LoadOptions, 'tolerant'> = {}): Promise<LoadedIndex> {
  const loaded = await loadIndex(repository, { ...options, tolerant: true })
  const told = toldDamage.get(loaded.catalogue) ?? new Set()
  toldDamage.set(loaded.catalogue, told)
  for (const { name, message } of loaded.problems) {
    if (!told.has(name)) repository.notice(`index/${name} is damaged and passed over (${message}); "nacre check" tells more`)
    told.add(name)
  }
  return loaded
}

export async function listPacks(backend: Backend, signal?: AbortSignal): Promise<Map<string, number>> {
  const packs = new Map<string, number>()
  for await (const info of backend.list('packs', { signal })) packs.set(info.name, info.sizeBytes)
  return packs
}

/** undefined when a listed object was gone: list again. */
async function absorbListed(repository: Repository, catalogue: Catalogue, group: number, options: LoadOptions): Promise<IndexProblem[] | undefined> {
  const { backend } = repository
  const listed = (await listObjects(backend, 'index', options.signal)).filter((info) => splitName(info.name).group === group)
  const names = new Set(listed.map((info) => info.name))
  await catalogue.drop([...catalogue.absorbed.keys(), ...catalogue.replaced].filter((name) => splitName(name).group === group && !names.has(name)))
  // Names are hashes, so another size is damage; what was learnt from it when it was whole is in no other machine's index.
  await catalogue.drop(listed.filter(({ name, sizeBytes }) => catalogue.absorbed.has(name) && catalogue.absorbed.get(name) !== sizeBytes).map(({ name }) => name))
  if (options.afresh === true) await dropDamaged(repository, catalogue, listed, options)
  const damaged = new Map<string, Error>()
  const unknown = listed.filter((info) => !catalogue.absorbed.has(info.name) && !catalogue.replaced.has(info.name))
  const read = async (info: ObjectInfo): Promise<{ name: string; sizeBytes: number; index: IndexObject | undefined | Error }> => {
    try {
      return { ...info, index: await readIndex(repository, info, options.signal) }
    } catch (error) {
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return { ...info, index: undefined }
      if (isBackupError(error, 'CORRUPT')) return { ...info, index: error }
      throw error
    }
  }
  for await (const { name, sizeBytes, index } of mapOrdered(unknown, { concurrency: backend.connections, signal: options.signal }, read)) {
    if (index === undefined) return undefined
    if (index instanceof Error) {
      damaged.set(name, index)
      continue
    }
    // Prune leaves what it has replaced until its next generation, for those who are reading a list.
    await catalogue.retire(index.replaces.map((id) => `${group}/${id}`).filter((replaced) => names.has(replaced)), name)
    if (!catalogue.replaced.has(name)) await catalogue.absorb(name, sizeBytes, index.packs)
  }
  // A repair replaces what is damaged, as a prune replaces what is sound: then nobody needs it.
  const left = [...damaged].filter(([name]) => !catalogue.replaced.has(name))
  if (left[0] !== undefined && options.tolerant !== true) throw left[0][1]
  return left.map(([name, { message }]) => ({ name, message }))
}

async function readIndex(repository: Repository, info: ObjectInfo, signal: AbortSignal | undefined): Promise<IndexObject> {
  return decodeIndex(repository.keyring, info.name, await loadObject(repository.backend, info, signal), trustedWriters(repository, splitName(info.name).group))
}

/** Lets the catalogue forget what can no longer be read as it was. */
async function dropDamaged(repository: Repository, catalogue: Catalogue, listed: readonly ObjectInfo[], { signal, onRead }: LoadOptions): Promise<void> {
  // Nobody needs to read what another replaces.
  const known = listed.filter(({ name }) => catalogue.absorbed.has(name))
  const isDamaged = async (info: ObjectInfo): Promise<string | undefined> => {
    try {
      const index = await readIndex(repository, info, signal)
      onRead?.(index)
      return undefined
    } catch (error) {
      if (isBackupError(error, 'CORRUPT')) return info.name
      // Replaced meanwhile: who reads what is new finds out.
      if (!isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
      return undefined
    }
  }
  const damaged: string[] = []
  for await (const name of mapOrdered(known, { concurrency: repository.backend.connections, signal }, isDamaged)) if (name !== undefined) damaged.push(name)
  await catalogue.drop(damaged)
}

/** Public keys whose index objects, sessions and snapshots count in the group. */
export function trustedWriters(repository: Repository, group: number): readonly Uint8Array[] {
  const { keyring } = repository
  // Writers' keys will stand here once an owner can enrol them; group 0 is the owners' own.
  return group === 0 ? [keyring.ownerPublic] : [keyring.ownerPublic]
}
