/**
 * A repository as a folder: mounts it and answers until it is unmounted, by whomever. What cannot be
 * read is one reader's error and a line of the log; everything else goes on.
 */
import { availableParallelism } from 'node:os'
import { monotonicMs } from '../../util/clock.ts'
import { isBackupError, messageOf } from '../../util/errors.ts'
import { closeDescriptor } from '../../util/posix/mount.ts'
import { watchDevice, writeReply } from '../../util/posix/fuse-device.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import { shortId } from '../../snapshot/select.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { SnapshotList } from '../../snapshot/snapshots.ts'
import { openTreeReader } from '../../snapshot/tree-reader.ts'
import { openFrameStore } from './frame-store.ts'
import { detachAtExit, mountAt, type MountFlags, unmountAt } from './mount-point.ts'
import { parsePathTemplate } from './path-template.ts'
import { createReadAhead } from './read-ahead.ts'
import { createServer } from './server.ts'
import { openSnapshotSource } from './snapshot-source.ts'
import { repositorySize } from './repository-size.ts'
import { treesFromFrames } from './tree-blobs.ts'
import { createTreeCache } from './tree-cache.ts'
import { createView } from './view.ts'

export interface MountOptions extends MountFlags {
  /** An empty folder. */
  readonly target: string | Uint8Array
  /** Those that are shown of a list; all by default. Asked at every look for new ones. */
  readonly choose?: ((list: SnapshotList) => readonly Snapshot[]) | undefined
  /** After so long a look at the snapshots' folders looks for new ones; undefined: never. */
  readonly refreshMs?: number | undefined
  /** Where links to snapshots stand, such as `hosts/%h/%T`; by id, host, tag and label by default. */
  readonly pathTemplates?: readonly string[] | undefined
  /** Show root as the owner of everything. */
  readonly ownedByRoot?: boolean | undefined
  /** For what was read and may be wanted again, lists included; 128 MiB by default. */
  readonly cacheBytes?: number | undefined
  /** Worker threads; one per core, two at most, by default. */
  readonly threads?: number | undefined
  /** A line for the log. */
  readonly onProblem?: ((message: string) => void) | undefined
}

export interface Mount extends AsyncDisposable {
  readonly path: Uint8Array
  /** Resolves when it is mounted no more and nobody has anything open in it. */
  readonly ended: Promise<void>
  /** @throws {BackupError} MOUNT_BUSY - with who holds it */
  unmount(): Promise<void>
  /** Takes it away at once; who has something open may go on until `ended`. */
  detach(): Promise<void>
}

const CACHE_BYTES = 128 * 1024 * 1024
const CACHE_BYTES_LEAST = 4 * 1024 * 1024
const TREES_BYTES = 24 * 1024 * 1024
const AHEAD_BYTES = 8 * 1024 * 1024
/** The same line again within so long says nothing new. */
const REPEAT_MS = 60_000
const LINES_MOST = 1000

/** @throws {BackupError} INVALID_ARGUMENT, TARGET_REFUSED, MOUNT_UNAVAILABLE; as opening and listing snapshots does */
export async function mount(repository: Repository, options: MountOptions): Promise<Mount> {
  const cacheBytes = Math.max(CACHE_BYTES_LEAST, options.cacheBytes ?? CACHE_BYTES)
  const tell = once(options.onProblem ?? (() => undefined))
  const source = await openSnapshotSource({ repository, choose: options.choose ?? ((list) => list.snapshots), refreshMs: options.refreshMs, templates: options.pathTemplates?.map(parsePathTemplate), onProblem: tell })
  // One bound for all: lists as they are decoded, frames that are kept, and what is read of those that come.
  const treesBytes = Math.min(TREES_BYTES, cacheBytes / 4)
  const aheadBytes = Math.min(AHEAD_BYTES, cacheBytes / 16)
  const framesBytes = cacheBytes - treesBytes - aheadBytes
  const frames = await openFrameStore({ repository, threads: options.threads ?? Math.min(2, availableParallelism()), cacheBytes: framesBytes })
  const reader = await treesFromFrames(repository, frames)
  const trees = createTreeCache(await openTreeReader(repository, reader), treesBytes)
  const owner = options.ownedByRoot === true ? { uid: 0, gid: 0 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const view = createView({ trees, frames, readAhead: createReadAhead(trees, frames, aheadBytes), layout: source.layout, owner })
  const size = await repositorySize(repository, source)

  const tellOf = async (error: unknown, node: number): Promise<void> => {
    const { snapshot, path } = await view.describe(node).catch(() => ({ snapshot: undefined, path: [] }))
    const where = snapshot === undefined ? '' : `snapshot ${shortId(snapshot.id)}, ${path.map((name) => `/${escapeBytes(name)}`).join('') || '/'}: `
    tell(`${where}${messageOf(error)}${isBackupError(error) ? '' : ' (this is a bug in nacre)'}`)
  }

  let point: Awaited<ReturnType<typeof mountAt>>
  try {
    point = await mountAt(options.target, options)
  } catch (error) {
    await frames[Symbol.asyncDispose]()
    throw error
  }
  const { device, path } = point
  const server = createServer({
    view,
    size,
    accessLists: options.allowOther === true && options.checkPermissions !== false,
    ownedByRoot: options.ownedByRoot === true,
    reply: (parts) => void writeReply(device, parts),
    onError: (error, node) => void tellOf(error, node),
  })
  const atExit = (): void => detachAtExit(path)
  process.once('exit', atExit)
  const requests = watchDevice(device, (bytes) => server.handle(bytes))

  return {
    path,
    ended: requests.ended,
    unmount: () => unmountAt(path),
    detach: () => unmountAt(path, { isLazy: true }),
    async [Symbol.asyncDispose]() {
      process.off('exit', atExit)
      detachAtExit(path)
      await requests[Symbol.asyncDispose]()
      closeDescriptor(device)
      await frames[Symbol.asyncDispose]()
    },
  }
}

function once(tell: (message: string) => void): (message: string) => void {
  const told = new Map<string, number>()
  return (message) => {
    const now = monotonicMs()
    const last = told.get(message)
    if (last !== undefined && now - last < REPEAT_MS) return
    if (told.size >= LINES_MOST) told.clear()
    told.set(message, now)
    tell(message)
  }
}
