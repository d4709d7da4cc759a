/**
 * Bringing the catalogue up to date: one list, and the index objects that are new to it. An index
 * object that is gone when it is read was replaced by another: then the list is asked again, once.
 */
import type { Backend } from '../backend/backend.ts'
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
  const { backend, keyring } = repository
  const listed = (await listObjects(backend, 'index', options.signal)).filter((info) => splitName(info.name).group === group)
  const names = new Set(listed.map((info) => info.name))
  await catalogue.drop([...catalogue.absorbed, ...catalogue.replaced].filter((name) => splitName(name).group === group && !names.has(name)))
  const problems: IndexProblem[] = []
  const unknown = listed.filter((info) => !catalogue.absorbed.has(info.name) && !catalogue.replaced.has(info.name))
  const read = async (info: (typeof unknown)[number]): Promise<{ name: string; index: IndexObject | undefined | Error }> => {
    try {
      const bytes = await loadObject(backend, info, options.signal)
      return { name: info.name, index: decodeIndex(keyring, info.name, bytes, trustedWriters(repository, group)) }
    } catch (error) {
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return { name: info.name, index: undefined }
      if (options.tolerant === true && isBackupError(error, 'CORRUPT')) return { name: info.name, index: error }
      throw error
    }
  }
  for await (const { name, index } of mapOrdered(unknown, { concurrency: backend.connections, signal: options.signal }, read)) {
    if (index === undefined) return undefined
    if (index instanceof Error) {
      problems.push({ name, message: index.message })
      continue
    }
    // Prune leaves what it has replaced until its next generation, for those who are reading a list.
    await catalogue.retire(index.replaces.map((id) => `${group}/${id}`).filter((replaced) => names.has(replaced)), name)
    if (!catalogue.replaced.has(name)) await catalogue.absorb(name, index.packs)
  }
  return problems
}

/** Public keys whose index objects, sessions and snapshots count in the group. */
export function trustedWriters(repository: Repository, group: number): readonly Uint8Array[] {
  const { keyring } = repository
  // Writers' keys will stand here once an owner can enrol them; group 0 is the owners' own.
  return group === 0 ? [keyring.ownerPublic] : [keyring.ownerPublic]
}
