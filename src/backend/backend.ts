/**
 * What nacre needs of a place that stores objects: five verbs on whole, immutable, named objects, and
 * a sixth where calls that are cut off leave something behind.
 * Everything else (retry, limits, cache) is a wrapper with the same shape.
 */

/** A kind of object. It is the name of the object's folder, `config` aside. */
export type ObjectType =
  | 'config'
  | 'keys'
  | 'packs'
  | 'index'
  | 'sessions'
  | 'snapshots'
  | 'forgotten'
  | 'marks'
  | 'gc'
  | 'probes'

/**
 * One object. `name` is what follows the type in the layout, without the pack's shard folder:
 * `keys/<id>`, `packs/<id>`, `index/<group>/<id>`, `snapshots/<group>/<sid>`, `gc/<n>.plan`;
 * for the config it is `config`.
 */
export interface ObjectRef {
  readonly type: ObjectType
  readonly name: string
}

export interface ObjectInfo extends ObjectRef {
  readonly sizeBytes: number
}

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface OperationOptions {
  readonly signal?: AbortSignal | undefined
}

export interface LoadOptions extends OperationOptions {
  /** Where the bytes may be put; a backend is free to bring its own memory. */
  readonly memory?: { take(lengthBytes: number): Uint8Array } | undefined
}

/** `governance`: who has a permission of its own may end it before its time. `compliance`: nobody may. */
export type LockMode = 'governance' | 'compliance'

/** What keeps an object from being deleted until a time, whoever asks. */
export interface ObjectLock {
  readonly mode: LockMode
  /** Milliseconds since the epoch. */
  readonly untilMs: number
}

export interface CreateOptions extends OperationOptions {
  /** Storage without locks stores the object all the same. */
  readonly lock?: ObjectLock | undefined
}

/** `created`: these bytes now stand under the name. `exists`: something stood there before. */
export type CreateResult = 'created' | 'exists'

/** What was taken away. */
export interface Leftovers {
  readonly files: number
  readonly bytes: number
}

export interface Backend extends AsyncDisposable {
  /** For messages; never holds credentials. */
  readonly location: string
  /** How many operations at once are useful. */
  readonly connections: number
  /** Whether every request crosses a network, so that what was fetched is worth keeping. */
  readonly isRemote?: boolean
  /** Whether lists come in byte order of the names, so that one that broke off can go on after its last. */
  readonly listsInOrder?: boolean
  /**
   * Why two who create one name at once may both be told `created`; undefined where they may not.
   * A backend that knows this of its storage serves who is alone; prune then asks for --exclusive.
   */
  readonly unguarded?: string | undefined

  /**
   * Create-if-absent, atomic: the whole object appears under its name or nothing does, and of any
   * number of racing callers exactly one gets `created`. Durable when it resolves (the object and
   * the folder that names it). The parts are written one after another and may be reused afterwards.
   * @throws {BackupError} BACKEND_FULL, BACKEND_DENIED, BACKEND_FAILED
   */
  create(ref: ObjectRef, parts: readonly Uint8Array[], options?: CreateOptions): Promise<CreateResult>

  /**
   * The object, or the range of it; the caller owns the bytes.
   * @throws {BackupError} BACKEND_NOT_FOUND when there is no such object; BACKEND_TRUNCATED when it
   * ends before the range does; BACKEND_DENIED, BACKEND_FAILED
   */
  load(ref: ObjectRef, range?: ByteRange, options?: LoadOptions): Promise<Uint8Array>

  /** The object's size; undefined means that it is certainly absent, any doubt is an error. */
  stat(ref: ObjectRef, options?: OperationOptions): Promise<ObjectInfo | undefined>

  /**
   * Every object of the type that was created before the call, each once, in no order; names that
   * the layout does not know (temporary files) are left out. `after` skips names up to and
   * including it, in byte order. An error is thrown, never a shorter list.
   */
  list(type: ObjectType, options?: OperationOptions & { readonly after?: string }): AsyncIterable<ObjectInfo>

  /**
   * Absent is success. Storage that keeps versions only hides the object.
   * @throws {BackupError} BACKEND_DENIED - with `details.isLocked` when it is a lock that refuses
   */
  remove(ref: ObjectRef, options?: OperationOptions): Promise<void>

  /**
   * Takes away what calls that were cut off have left beside the objects, as far as nobody has written
   * to it for so long; undefined takes all. A call that is still under way must survive it. Storage on
   * which a call leaves nothing has no such verb.
   */
  removeLeftovers?(olderThanMs: number | undefined, options?: OperationOptions): Promise<Leftovers>

  /** The lock of an object; undefined where it has none, or there is no such object. Storage without locks has no such verb. */
  lockOf?(ref: ObjectRef, options?: OperationOptions): Promise<ObjectLock | undefined>

  /**
   * Locks an object, or locks it for longer.
   * @throws {BackupError} BACKEND_NOT_FOUND; BACKEND_DENIED - it would be for shorter, or this user may not
   */
  setLock?(ref: ObjectRef, lock: ObjectLock, options?: OperationOptions): Promise<void>

  /** Whether something that was removed meanwhile lies on as an old version, which takes space. */
  hasKeptVersions?(): boolean
}
