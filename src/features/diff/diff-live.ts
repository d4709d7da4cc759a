/**
 * What differs between a snapshot and files as they are now. Live folders are walked by descriptor
 * beside the snapshot's lists, both in byte order. A file whose size and time are the snapshot's
 * counts as the same, unless its bytes are asked for; one whose time alone is another is read.
 */
import { keyedHash, type KeyedHash } from '../../crypto/hash.ts'
import { compareBytes } from '../../util/bytes.ts'
import { readlinkAt } from '../../util/posix/create.ts'
import { listEntries } from '../../util/posix/directory.ts'
import { AT_FDCWD, close, O_DIRECTORY, O_RDONLY, openAt, OPEN_DIRECTORY } from '../../util/posix/open.ts'
import { statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import { ownFolders } from '../../snapshot/backup.ts'
import { createExcluder, type Excluder } from '../../snapshot/exclude.ts'
import { createDeviceNumbers, nodeOfStat } from '../../snapshot/file-node.ts'
import type { Node } from '../../snapshot/node.ts'
import { absolutePath } from '../../snapshot/select.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { xattrsAt } from '../../snapshot/source-xattrs.ts'
import { createPathGuard } from '../../snapshot/path-guard.ts'
import { branchesOf, joinPath, type SourceBranch, sortedChildren, splitPath } from '../../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { findPath, normalPath } from '../../snapshot/tree-walk.ts'
import { differingFields, hasOtherTime } from './compare-nodes.ts'
import type { DiffOptions } from './diff-snapshots.ts'
import type { DiffRecord, Field } from './difference.ts'
import { holdsContent } from './live-content.ts'
import type { Pair } from './merge-lists.ts'
import { type Compared, type Sides, walkPairs } from './walk-pairs.ts'

export interface LiveDiffOptions extends DiffOptions {
  /** Read every file, also where size and time are the same. */
  readonly content?: boolean | undefined
  /** gitignore patterns of what is looked at on neither side. */
  readonly exclude?: readonly string[] | undefined
}

/**
 * @param path - in the snapshot; undefined is where the live path would be
 * @param live - made absolute
 * @throws {BackupError} PATH_NOT_FOUND - the snapshot has no such path; BLOB_MISSING, CORRUPT
 */
export async function* diffLive(repository: Repository, snapshot: Snapshot, path: Uint8Array | undefined, live: string | Uint8Array, options: LiveDiffOptions = {}): AsyncGenerator<DiffRecord, void, undefined> {
  const trees = await openTreeReader(repository)
  const livePath = absolutePath(live)
  const at = normalPath(path ?? livePath)
  const isElsewhere = compareBytes(at, livePath) !== 0
  const found = await findPath(trees, snapshot.tree, at)
  // A folder that something was restored into is a folder of its own.
  const left = isElsewhere && found.type === 'directory' ? { ...found, name: new Uint8Array(0) } : found
  const sides = liveSides({
    trees,
    tree: snapshot.tree,
    hash: keyedHash(repository.keyring.blobId(snapshot.group, 'data')),
    excluder: createExcluder(options.exclude ?? []),
    ownFolders: ownFolders(repository),
    // Of a folder above the paths of the backup, only the way down to them is in the snapshot.
    branch: isElsewhere ? undefined : branchesOf(snapshot.paths.map((path) => ({ path }))),
    base: livePath,
    options,
  })
  const pair = await sides.first(at, left)
  yield* pair === undefined ? sides.takeProblems() : walkPairs(sides, at, pair, options.signal)
}

interface LiveContext {
  readonly trees: TreeReader
  /** The snapshot's. */
  readonly tree: Uint8Array
  readonly hash: KeyedHash
  readonly excluder: Excluder
  readonly ownFolders: ReadonlyMap<string, string>
  readonly branch: SourceBranch | undefined
  readonly base: Uint8Array
  readonly options: LiveDiffOptions
}

/** Of a live folder, in byte order. */
interface LiveNames {
  next(): { readonly name: Uint8Array } | undefined
}

const NO_NAMES: LiveNames = { next: () => undefined }

interface LiveSides extends Sides {
  /** The pair at which the walk begins; undefined when the live side cannot be looked at. */
  first(path: Uint8Array, left: Node): Promise<Pair | undefined>
}

function liveSides(context: LiveContext): LiveSides {
  const { trees, options } = context
  const devices = createDeviceNumbers()
  const compareOptions = { comparesIds: false, folderTimes: options.folderTimes ?? false }
  let problems: DiffRecord[] = []
  /** Descriptors of the folders that are open, the innermost last. */
  const folders: number[] = []
  /** Outcomes of files that had to be read, by their live nodes. */
  const readings = new WeakMap<Node, boolean>()

  const problem = (path: Uint8Array, error: unknown): void => {
    if (!(error instanceof PosixError)) throw error
    problems.push({ kind: 'problem', path, message: error.message })
  }

  /** undefined where nothing is there, `unknown` where it cannot be looked at. */
  const liveNode = (path: Uint8Array, dirFd: number, name: Uint8Array, nodeName: Uint8Array): Node | 'unknown' | undefined => {
    try {
      const stat = statAtIfPresent(dirFd, name, { follow: isOnTheWay(path) })
      if (stat === undefined || (stat.type === 'directory' && context.ownFolders.has(`${stat.device}:${stat.inode}`))) return undefined
      const node = nodeOfStat(nodeName, stat, undefined, devices)
      return node.type === 'symlink' ? { ...node, target: readlinkAt(dirFd, name) } : node
    } catch (error) {
      problem(path, error)
      return 'unknown'
    }
  }

  /** Reads the live file where its bytes must be known. */
  const read = async (path: Uint8Array, left: Node, right: Node, dirFd: number, name: Uint8Array): Promise<void> => {
    if (left.type !== 'file' || right.type !== 'file' || left.size !== right.size) return
    if (options.content !== true && !hasOtherTime(left, right)) return
    try {
      readings.set(right, await holdsContent(trees, context.hash, left, dirFd, name, options.signal))
    } catch (error) {
      problem(path, error)
    }
  }

  const withXattrs = (left: Node, right: Node, dirFd: number, name: Uint8Array): Node => {
    // Where they cannot be read here, it is not known whether they differ.
    let isRefused = false
    const xattrs = xattrsAt(dirFd, name, () => (isRefused = true))
    return { ...right, xattrs: isRefused ? left.xattrs : xattrs }
  }

  const pairOf = async (path: Uint8Array, left: Node | undefined, right: Node | undefined, fd: number, name: Uint8Array): Promise<Pair> => {
    if (left === undefined || right === undefined || left.type !== right.type) return { left, right }
    const complete = withXattrs(left, right, fd, name)
    await read(path, left, complete, fd, name)
    return { left, right: complete }
  }

  return {
    guard: createPathGuard(trees, [context.tree], { signal: options.signal }),
    async first(path, left) {
      const right = liveNode(path, AT_FDCWD, context.base, left.name)
      return right === 'unknown' ? undefined : pairOf(path, left, right, AT_FDCWD, context.base)
    },
    takeProblems() {
      const taken = problems
      problems = []
      return taken
    },
    compare: (_path, left, right) => comparison(left, right),
    mayDiffer: () => true,
    async *open(path, { left, right }) {
      const above = folders.at(-1) ?? AT_FDCWD
      const isFirst = folders.length === 0
      let fd = -1
      let names: LiveNames = NO_NAMES
      try {
        if (right !== undefined) {
          fd = openAt(above, isFirst ? context.base : right.name, isOnTheWay(path) ? O_RDONLY | O_DIRECTORY : OPEN_DIRECTORY)
          names = namesIn(path, fd)
        }
      } catch (error) {
        problem(path, error)
        // What is in it is not known: nothing of it counts as removed.
        left = undefined
      }
      folders.push(fd)
      try {
        yield* merged(path, left, names, fd)
      } finally {
        folders.pop()
        if (fd !== -1) close(fd)
      }
    },
  }

  function comparison(left: Node, right: Node): Compared {
    // The snapshot's root tells nothing of itself, nor does a folder that lies elsewhere.
    if (left.name.length === 0) return { fields: [] }
    const known = { ...left, user: right.user, group: right.group }
    const holds = readings.get(right)
    const fields = differingFields(known, right, compareOptions).filter((field): field is Field => field !== 'content')
    const isOther = holds === false || left.size !== right.size
    return { fields: isOther ? ['content', ...fields] : fields, isSilent: holds === false && !hasOtherTime(left, right) }
  }

  /** The branch of the backup's paths that leads through here; undefined is all of it. */
  function branchAt(path: Uint8Array): SourceBranch | undefined {
    let branch = context.branch
    for (const name of splitPath(path)) {
      if (branch === undefined || branch.isWhole) return undefined
      branch = branch.children.get(Buffer.from(name).toString('latin1'))
    }
    return branch?.isWhole === true ? undefined : branch
  }

  /** Above the paths of the backup a link to a folder stands for the folder, as in the backup. */
  function isOnTheWay(path: Uint8Array): boolean {
    return branchAt(path) !== undefined
  }

  function namesIn(path: Uint8Array, fd: number): LiveNames {
    const branch = branchAt(path)
    if (branch === undefined) return listEntries(fd)
    const children = sortedChildren(branch)
    let at = 0
    return { next: () => children[at++] }
  }

  async function* merged(path: Uint8Array, left: Node | undefined, names: LiveNames, fd: number): AsyncGenerator<readonly Pair[], void, undefined> {
    let isBroken = false
    const nextName = (): Uint8Array | undefined => {
      try {
        return names.next()?.name
      } catch (error) {
        problem(path, error)
        isBroken = true
        return undefined
      }
    }
    let live = nextName()
    let pairs: Pair[] = []
    const add = async (node: Node | undefined, name: Uint8Array): Promise<void> => {
      const at = joinPath(path, name)
      const isThere = live !== undefined && compareBytes(live, name) === 0
      const right = isThere ? liveNode(at, fd, live!, name) : undefined
      if (isThere) live = nextName()
      if (right === 'unknown' || (node === undefined && right === undefined)) return
      if (!context.excluder.excludes(at, (node ?? right)?.type === 'directory')) pairs.push(await pairOf(at, node, right, fd, name))
    }
    const lists = left?.subtree === undefined ? [] : trees.nodes(left.subtree)
    for await (const nodes of lists) {
      for (const node of nodes) {
        while (live !== undefined && compareBytes(live, node.name) < 0) await add(undefined, live)
        // What else is there is not known: nothing of it counts as removed.
        if (isBroken) return yield pairs
        await add(node, node.name)
        if (pairs.length < PAIRS_MOST) continue
        yield pairs
        pairs = []
      }
    }
    while (live !== undefined) {
      await add(undefined, live)
      if (pairs.length < PAIRS_MOST) continue
      yield pairs
      pairs = []
    }
    yield pairs
  }
}

const PAIRS_MOST = 256
