/**
 * An open repository: a backend, the keys that a password gave, the parameters, and the catalogue
 * of this machine. Features are functions that take one; it has few methods of its own.
 */
import { join } from 'node:path'
import type { Backend, ObjectRef } from '../backend/backend.ts'
import { requireSuitable } from '../backend/probe.ts'
import { withLook } from '../backend/with-look.ts'
import { type LockSetting, withObjectLock } from '../backend/with-object-lock.ts'
import { withEarlyLists } from '../backend/with-early-lists.ts'
import { type ChunkerParams, chunkerParams } from '../chunker/params.ts'
import { randomBytes } from '../crypto/derive.ts'
import type { KdfParameters } from '../crypto/kdf.ts'
import { nowNs } from '../util/clock.ts'
import { toHex } from '../util/bytes.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { formatTime } from '../util/time-text.ts'
import { programVersion } from '../util/version-file.ts'
import type { Catalogue } from './catalogue/catalogue.ts'
import { forgetSlot, lastSlot, rememberSlot } from './catalogue/last-slot.ts'
import { framesFolder } from './catalogue/cache-folder.ts'
import { isMade } from './catalogue/make-folders.ts'
import { writeProbeRecord } from './catalogue/probe-record.ts'
import { decodeConfig, encodeConfig, newConfig, type RepositoryConfig } from './config.ts'
import { MIB, OWNER_GROUP, RECORD, REPOSITORY_ID_BYTES } from './format.ts'
import { decodeHeader, requireHeader } from './header.ts'
import { type FrameCache, openFrameCache } from './catalogue/frame-cache.ts'
import { encodeSlot, type SlotLabel } from './key-slot.ts'
import { type Keyring, keyringOf, ownerBundle } from './keyring.ts'
import { loadObject } from './objects.ts'
import { unlock } from './unlock.ts'

export interface Repository extends AsyncDisposable {
  /** 32 hex digits. */
  readonly id: string
  readonly backend: Backend
  readonly keyring: Keyring
  readonly config: RepositoryConfig
  /** Where this machine keeps what it may lose of this repository. */
  readonly cacheFolder: string
  /** What is kept of a repository that is far away, so that looking at its trees asks for nothing twice. */
  readonly treeFrames?: FrameCache | undefined
  /** Key slot that the password opened. */
  readonly slotId: string
  /** Opened at first use. */
  catalogue(): Promise<Catalogue>
  /** Tells the user something that needs no action. */
  notice(message: string): void
}

export interface Person {
  readonly user: string
  readonly host: string
}

export interface CreateOptions {
  readonly backend: Backend
  readonly password: Uint8Array
  /** Average chunk in bytes: a power of two from 16 KiB to 1 MiB. */
  readonly chunkBytes?: number | undefined
  readonly person: Person
  readonly kdf?: KdfParameters | undefined
  /** Lock what is stored for so long; the storage must be able to. In whole seconds. */
  readonly objectLock?: LockSetting | undefined
  /** Folder for all repositories' caches: what the storage was found to do is noted there, and not tried again by the first backup. */
  readonly cacheFolder?: string | undefined
}

export interface OpenOptions {
  readonly backend: Backend
  readonly password: Uint8Array
  /** Folder for all repositories' caches. */
  readonly cacheFolder: string
  /** What this repository's cache may take besides the index; 0 keeps no frames. */
  readonly cacheLimitBytes?: number | undefined
  /** The caller only looks, and begins with a list of the snapshots: what that asks for is asked for while the password is derived. */
  readonly looks?: boolean | undefined
  readonly onNotice?: ((message: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** In the order of a list of snapshots. */
const SNAPSHOT_LISTS = [['snapshots'], ['forgotten', 'marks'], ['gc']] as const

/** Folders' lists of some ten million files. */
const CACHE_LIMIT_BYTES = 4 * 1024 * MIB
/** Of the limit; the rest is for what the catalogue keeps of trees. */
const FRAMES_SHARE = 1 / 4
const CONFIG = { type: 'config', name: 'config' } as const
const CONFIG_ADVICE = 'Put a copy of the object "config" back: it is small, and never changes after init'

/**
 * Makes a repository in an empty place. The config comes last and is created only if absent, so
 * there is a repository or there is none, and an existing one is never touched.
 * @returns the repository's id, the id of its first key slot, and why prune will want --exclusive there, if so
 * @throws {BackupError} REPOSITORY_EXISTS (also when only the config is missing), BACKEND_UNSUITABLE (the storage was tried, and failed), PASSWORD_REFUSED, INVALID_ARGUMENT
 */
export async function createRepository(options: CreateOptions): Promise<{ id: string; slotId: string; chunker: ChunkerParams; unguarded: string | undefined }> {
  const { objectLock } = options
  let backend = objectLock === undefined ? options.backend : withObjectLock(options.backend, objectLock)
  const chunker = chunkerParams(options.chunkBytes)
  if ((await backend.stat(CONFIG)) !== undefined) throw alreadyThere(backend)
  const remains = await firstOfRepository(backend)
  if (remains !== undefined) throw new BackupError('REPOSITORY_EXISTS', `${withoutConfig(backend, remains)} Nothing was touched`, { path: backend.location })
  const isWithoutCondition = await lacksCondition(backend)
  if (isWithoutCondition) backend = withLook(backend)
  const repositoryId = randomBytes(REPOSITORY_ID_BYTES)
  const bundle = ownerBundle(randomBytes(32))
  const keyring = keyringOf(bundle, repositoryId)
  const label: SlotLabel = { role: 'owner', group: OWNER_GROUP, ...options.person, createdNs: nowNs() }
  const slot = await encodeSlot(keyring, bundle, label, options.password, options.kdf)
  const config = encodeConfig(keyring, newConfig(chunker, nowNs(), programVersion(), { ...(objectLock === undefined ? {} : { objectLock }), ...(isWithoutCondition ? { isUnguarded: true } : {}) }))
  await backend.create({ type: 'keys', name: slot.id }, [slot.bytes])
  if ((await backend.create(CONFIG, [config])) === 'exists') {
    await backend.remove({ type: 'keys', name: slot.id })
    throw alreadyThere(backend)
  }
  const id = toHex(repositoryId)
  const { unguarded } = backend
  if (options.cacheFolder !== undefined) await writeProbeRecord(join(options.cacheFolder, id), { location: backend.location, unguarded: unguarded ?? null, time: formatTime(nowNs(), 0) })
  return { id, slotId: slot.id, chunker, unguarded }
}

/**
 * Tries the storage. A bucket that keeps versions may fail at one thing and serve all the same.
 * @throws {BackupError} BACKEND_UNSUITABLE
 */
async function lacksCondition(backend: Backend): Promise<boolean> {
  try {
    await requireSuitable(backend)
    return false
  } catch (error) {
    const needs = isBackupError(error, 'BACKEND_UNSUITABLE') ? (error.details['needs'] as readonly string[]) : []
    if (backend.hasKeptVersions?.() !== true || needs.length === 0 || needs.some((need) => need !== 'create-if-absent')) throw error
    return true
  }
}

/** The backend as the repository's config wants it. */
function asConfigured(backend: Backend, { objectLock, isUnguarded }: RepositoryConfig): Backend {
  // Elsewhere than in a bucket, a copy of it has what it needs.
  const guarded = isUnguarded === true && backend.hasKeptVersions !== undefined ? withLook(backend) : backend
  return objectLock === undefined ? guarded : withObjectLock(guarded, objectLock)
}

/** The id of the repository there, which is no secret; undefined where none can be made out. */
export async function repositoryIdAt(backend: Backend, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return toHex(decodeHeader(await loadObject(backend, CONFIG, signal), 'config').header.repositoryId)
  } catch (error) {
    if (!isBackupError(error) || error.code === 'INTERRUPTED') throw error
    return undefined
  }
}

function alreadyThere(backend: Backend): BackupError {
  return new BackupError('REPOSITORY_EXISTS', `there is a repository at ${backend.location} already; it was left as it is`)
}

/** One of the objects that only a repository has; the probes of one that was never made are none. */
async function firstOfRepository(backend: Backend, signal?: AbortSignal): Promise<ObjectRef | undefined> {
  for (const type of ['packs', 'index', 'snapshots', 'keys'] as const) for await (const ref of backend.list(type, { signal })) return ref
  return undefined
}

/** With nothing but a key, the one that comes first, nothing was ever stored. */
function withoutConfig({ location }: Backend, { type, name }: ObjectRef): string {
  if (type === 'keys') return `there is the key slot keys/${name} at ${location} and no config: an init was cut off there, or one is under way, or the config is lost. Nothing is stored there: to begin anew, remove that key slot by hand.`
  return `there are objects of a repository at ${location} (${type}/${name} for one), but its config is missing. ${CONFIG_ADVICE}.`
}

/**
 * @throws {BackupError} REPOSITORY_NOT_FOUND, WRONG_PASSWORD, KEY_TAMPERED, REPOSITORY_VERSION,
 * FEATURE_UNKNOWN, CORRUPT
 */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const { signal } = options
  const early = options.looks === true && options.backend.isRemote === true ? withEarlyLists(options.backend, SNAPSHOT_LISTS, { signal }) : undefined
  const backend = early?.backend ?? options.backend
  const last = await lastSlot(options.cacheFolder, backend.location)
  // It is asked for while the config is on its way.
  const likely = last && { id: last.slotId, bytes: loadObject(backend, { type: 'keys', name: last.slotId }, signal).catch(() => undefined) }
  const configBytes = await loadConfig(backend, signal)
  const header = advising(() => {
    const { header } = decodeHeader(configBytes, 'config')
    requireHeader(header, { types: [RECORD.config], repositoryId: header.repositoryId, group: 0, name: 'config' }, 'config')
    return header
  })
  const id = toHex(header.repositoryId)
  const cacheFolder = join(options.cacheFolder, id)
  const notice = options.onNotice ?? (() => undefined)
  const limitBytes = options.cacheLimitBytes ?? CACHE_LIMIT_BYTES
  const openCatalogueOnce = catalogueOnce(cacheFolder, limitBytes * (1 - FRAMES_SHARE), notice)
  // The password takes a seventh of a second on other threads: LevelDB loads meanwhile, and opens what
  // is there. What fails will fail again for whoever asks for it.
  let hasBegun = false
  const whileDeriving = (): void => {
    if (!hasBegun) early?.begin()
    hasBegun = true
    void (isMade(cacheFolder) ? openCatalogueOnce.open() : import('./catalogue/catalogue.ts')).catch(() => undefined)
  }
  try {
    const { bundle, slotId } = await unlock(backend, header.repositoryId, options.password, { notice, signal, whileDeriving, likely })
    if (last !== undefined && last.repositoryId !== id) await forgetSlot(options.cacheFolder, backend.location, last)
    if (slotId !== last?.slotId) await rememberSlot(cacheFolder, backend.location, slotId)
    const keyring = keyringOf(bundle, header.repositoryId)
    const config = advising(() => decodeConfig(keyring, configBytes))
    return {
      id,
      backend: asConfigured(backend, config),
      keyring,
      config,
      cacheFolder,
      treeFrames: backend.isRemote === true ? treeFramesIn(cacheFolder, limitBytes) : undefined,
      slotId,
      notice,
      catalogue: openCatalogueOnce.open,
      [Symbol.asyncDispose]: openCatalogueOnce.close,
    }
  } catch (error) {
    await openCatalogueOnce.close()
    throw error
  }
}

function treeFramesIn(cacheFolder: string, limitBytes: number): FrameCache | undefined {
  return limitBytes === 0 ? undefined : openFrameCache({ folder: framesFolder(cacheFolder), limitBytes: limitBytes * FRAMES_SHARE })
}

async function loadConfig(backend: Backend, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    return await loadObject(backend, CONFIG, signal)
  } catch (cause) {
    if (isBackupError(cause) && cause.details['isPlaceMissing'] === true) throw new BackupError('REPOSITORY_NOT_FOUND', cause.message, { cause, path: backend.location })
    if (!isBackupError(cause, 'BACKEND_NOT_FOUND')) throw cause
    const remains = await firstOfRepository(backend, signal)
    if (remains !== undefined) throw new BackupError('CORRUPT', withoutConfig(backend, remains), { cause, path: 'config' })
    throw new BackupError('REPOSITORY_NOT_FOUND', `there is no repository at ${backend.location}; "nacre init" makes one`, { cause, path: backend.location })
  }
}

function advising<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!isBackupError(cause, 'CORRUPT')) throw cause
    throw new BackupError('CORRUPT', `${cause.message}. ${CONFIG_ADVICE}`, { cause, path: 'config' })
  }
}

function catalogueOnce(cacheFolder: string, treeBytes: number, notice: (message: string) => void): { open: () => Promise<Catalogue>; close: () => Promise<void> } {
  let opened: Promise<Catalogue> | undefined
  const open = async (): Promise<Catalogue> => {
    const { openCatalogue } = await import('./catalogue/catalogue.ts')
    const catalogue = await openCatalogue(cacheFolder, treeBytes)
    if (catalogue.wiped !== undefined) notice(`the local catalogue was damaged and is rebuilt (${catalogue.wiped})`)
    return catalogue
  }
  return {
    open: () => (opened ??= open()),
    close: async () => {
      const catalogue = await opened?.catch(() => undefined)
      await catalogue?.[Symbol.asyncDispose]()
    },
  }
}
