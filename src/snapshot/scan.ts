/**
 * Walking the source, depth first and in byte order of the names, side by side with the parent's
 * tree. What comes out is batches of entries: large enough that the steps behind cost little for
 * each, and cut so that a worker can read the files of one into its memory at once.
 *
 * Folders are walked by descriptor, so a name exchanged for a link meanwhile leads nowhere.
 */
import { compareBytes } from '../util/bytes.ts'
import { nowNs } from '../util/clock.ts'
import { isBackupError, throwIfAborted } from '../util/errors.ts'
import { readlinkAt } from '../util/posix/create.ts'
import { groupName, userName } from '../util/posix/owners.ts'
import type { FileStat } from '../util/posix/stat.ts'
import { mayHaveHoles } from './extents.ts'
import { createDeviceNumbers, hasSameAtime, hasSameContent, isUnchanged, nodeOfStat } from './file-node.ts'
import type { Node } from './node.ts'
import type { ParentNode } from './node-scanner.ts'
import type { ParentCursor } from './parent-cursor.ts'
import { type Coming, type Folder, openFolder, type Place, placeOf, problemsOf, rootFolder, statEntry, type Walk } from './scan-folder.ts'
import type { FileEntry, KnownContent, ScanEntry, ScanOptions } from './scan-types.ts'
import { createSourceFolders } from './source-folder.ts'
import { joinPath } from './source-paths.ts'
import { xattrsAt } from './source-xattrs.ts'
import { DEPTH_LIMIT } from './tree-walk.ts'

const BATCH_ENTRIES = 2048
const BATCH_FILES = 256

export async function* scan(options: ScanOptions): AsyncGenerator<readonly ScanEntry[]> {
  const walk: Walk = { options, devices: createDeviceNumbers(), folders: createSourceFolders(), problem: problemsOf(options) }
  const stack: Folder[] = []
  let batch: ScanEntry[] = []
  let batchBytes = 0
  let batchFiles = 0
  let batchAlike = 0

  const takeBatch = (): readonly ScanEntry[] => {
    const taken = batch
    batch = []
    batchBytes = 0
    batchFiles = 0
    batchAlike = 0
    return taken
  }

  const addAlike = (size: number): void => {
    const last = batch.at(-1)
    if (last?.kind === 'alike') {
      last.count++
      last.bytes += size
    } else batch.push({ kind: 'alike', count: 1, bytes: size })
    batchAlike++
  }

  const addFile = (entry: FileEntry, isSmall: boolean): void => {
    entry.folder.hold()
    batch.push(entry)
    batchFiles++
    batchBytes += isSmall ? entry.node.size : options.batchBytes
  }

  const enter = (folder: Folder): void => {
    batch.push({ kind: 'enter', node: folder.node, parent: folder.parent })
    stack.push(folder)
  }

  try {
    enter(rootFolder(walk))
    while (stack.length > 0) {
      const folder = stack.at(-1)!
      const entry = nextEntry(walk, folder)
      if (entry === undefined) {
        stack.pop()
        folder.source?.leave()
        const above = stack.at(-1)
        const isIdentical = folder.isAligned && (await isExhausted(folder.cursor))
        const isSame = isIdentical && folder.parent !== undefined && isSameFolder(folder.parent, folder.node)
        const isAligned = isSame && above !== undefined && above.isAligned && !above.cursor.hasSkipped
        if (above !== undefined) above.isAligned = isAligned
        batch.push({ kind: 'leave', isIdentical, isSame, isAligned })
        if (walk.folders.isFull()) {
          yield takeBatch()
          await walk.folders.room()
        }
        continue
      }
      const taken = folder.filter?.isActive === true ? folder.filter.takes(pathOf(folder, entry), entry.type === 'directory') : undefined
      if (taken !== undefined) {
        options.onTaken(pathOf(folder, entry), taken)
        continue
      }
      let standing = folder.cursor.at(entry.name)
      while (standing === 'behind') {
        await folder.cursor.advance()
        standing = folder.cursor.at(entry.name)
      }
      if (folder.cursor.hasSkipped) folder.isAligned = false
      if (entry.branch?.stream !== undefined) {
        folder.isAligned = false
        batch.push({ kind: 'stream', node: streamNode(entry.name), path: pathOf(folder, entry), stream: entry.branch.stream, isNew: standing === undefined })
        yield takeBatch()
        continue
      }
      const place = placeOf(folder, entry)
      const stat = statEntry(walk, folder, entry, place)
      if (stat === undefined) {
        folder.isAligned = false
        continue
      }
      // Some file systems do not tell the type of an entry before it is asked for.
      const late = entry.type === 'unknown' && stat.type === 'directory' ? folder.filter?.takes(pathOf(folder, entry), true) : undefined
      const unwanted = late ?? (stat.type === 'file' ? options.filter.takesFile(stat) : undefined)
      if (unwanted !== undefined) {
        options.onTaken(pathOf(folder, entry), unwanted)
        continue
      }
      if (stat.type === 'directory') {
        const opened = subfolder(walk, stack, entry, place, stat, standing === undefined ? undefined : nodeOf(standing))
        if (opened === undefined) folder.isAligned = false
        else enter(opened)
        continue
      }
      const isSame = standing !== undefined && isUnchanged(standing, stat)
      if (isSame && folder.isAligned && options.withAtime !== true) {
        addAlike(stat.type === 'file' ? stat.size : 0)
      } else {
        const before = standing === undefined ? undefined : nodeOf(standing)
        const isStill = isSame && before !== undefined && (options.trustsParent || (await options.isLive(before)))
        if (isStill && (options.withAtime !== true || hasSameAtime(before, stat))) {
          if (folder.isAligned) addAlike(before.size)
          else batch.push({ kind: 'same', node: before })
        } else {
          folder.isAligned = false
          const changed = await changedEntry({ walk, folder, entry, place, stat, before, isSame: isStill })
          if (changed?.kind === 'file') {
            const { size } = changed.node
            const isSmall = size <= options.smallFileBytes
            if (batchFiles > 0 && (!isSmall || batchBytes + size > options.batchBytes)) yield takeBatch()
            addFile(changed, isSmall)
          } else if (changed !== undefined) batch.push(changed)
        }
      }
      if (batch.length + batchAlike >= BATCH_ENTRIES || batchFiles >= BATCH_FILES || batchBytes >= options.batchBytes) {
        throwIfAborted(options.signal)
        yield takeBatch()
      }
    }
    yield takeBatch()
  } finally {
    for (const folder of stack) folder.source?.leave()
    for (const entry of batch) if (entry.kind === 'file') entry.folder.release()
  }
}

/** A folder that is too large for memory is read again now and then, which may fail. */
function nextEntry(walk: Walk, folder: Folder): Coming | undefined {
  try {
    return folder.entries.next()
  } catch (error) {
    walk.problem(folder.path, error)
    folder.isAligned = false
    return undefined
  }
}

/** undefined where it is left out, with a word. */
function subfolder(walk: Walk, stack: readonly Folder[], entry: Coming, place: Place, stat: FileStat, before: Node | undefined): Folder | undefined {
  const { options } = walk
  const folder = stack.at(-1)!
  const path = pathOf(folder, entry)
  const own = options.ownFolders.get(`${stat.device}:${stat.inode}`)
  if (own !== undefined) {
    options.onOwnFolder(path, own)
    return undefined
  }
  if (stack.length >= DEPTH_LIMIT) {
    options.onProblem({ path, code: 'ELOOP', message: `it lies deeper than ${DEPTH_LIMIT} folders and is left out` })
    return undefined
  }
  return openFolder(walk, folder, entry, place, stat, path, before)
}

interface Found {
  readonly walk: Walk
  readonly folder: Folder
  readonly entry: Coming
  readonly place: Place
  readonly stat: FileStat
  readonly before: Node | undefined
  /** Whether all but the time of the last access is as it was. */
  readonly isSame: boolean
}

/** What is new, or not as it was; undefined where it cannot be had. */
async function changedEntry(found: Found): Promise<Extract<ScanEntry, { kind: 'node' | 'known' | 'file' }> | undefined> {
  const { walk, folder, entry, place, stat, before, isSame } = found
  const { options } = walk
  const path = pathOf(folder, entry)
  const xattrs = isSame ? before!.xattrs : xattrsAt(place.dirFd, place.name, (error) => walk.problem(path, error))
  const node = { ...nodeOfStat(entry.name, stat, before, walk.devices, options.withAtime), xattrs }
  const isNew = before === undefined
  if (stat.type !== 'file') {
    const complete = completed(walk, node, place, path)
    return complete === undefined ? undefined : { kind: 'node', node: complete, isNew }
  }
  const known = await knownContent(options, path, stat, before, isSame)
  if (known !== undefined) return { kind: 'known', node: { ...node, content: known.content, extents: known.extents }, path, from: known === before ? 'parent' : 'journal', isNew }
  return { kind: 'file', node, path, folder: place.folder, name: place.name, isNew, mayHaveHoles: mayHaveHoles(stat.size, stat.blocks) }
}

function pathOf(folder: Folder, entry: Coming): Uint8Array {
  return joinPath(folder.path, entry.name)
}

/** A node of the parent; undefined where it is broken, so that the file is read. */
function nodeOf(standing: ParentNode): Node | undefined {
  try {
    return standing.decode()
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT')) throw error
    return undefined
  }
}

/** What is known of a file's content without reading it. */
async function knownContent(options: ScanOptions, path: Uint8Array, stat: FileStat, before: Node | undefined, isSame: boolean): Promise<KnownContent | undefined> {
  if (isSame) return before
  const isRelaxed = options.ignoreInode === true || options.ignoreCtime === true
  if (isRelaxed && before !== undefined && hasSameContent(before, stat, options) && (await options.isLive(before))) return before
  const known = options.known?.(path)
  return known !== undefined && hasSameContent(known, stat, options) && (await options.isKnownLive(known)) ? known : undefined
}

/** Of a stream the system knows nothing; who reads it owns it. */
function streamNode(name: Uint8Array): Node {
  const ns = nowNs()
  const time = { s: Number(ns / 1_000_000_000n), ns: Number(ns % 1_000_000_000n) }
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  return { name, type: 'file', mode: 0o600, uid, gid, user: userName(uid), group: groupName(gid), size: 0, mtimeS: time.s, mtimeNs: time.ns, ctimeS: time.s, ctimeNs: time.ns, inode: 0, links: 1 }
}

function isExhausted(cursor: ParentCursor): Promise<boolean> {
  return cursor.isExhausted().catch(() => false)
}

function isSameFolder(before: Node, now: Node): boolean {
  return (
    before.mtimeNs === now.mtimeNs && before.mtimeS === now.mtimeS && before.ctimeNs === now.ctimeNs && before.ctimeS === now.ctimeS &&
    before.inode === now.inode && before.mode === now.mode && before.uid === now.uid && before.gid === now.gid && before.links === now.links &&
    before.user === now.user && before.group === now.group && before.atime?.s === now.atime?.s && before.atime?.ns === now.atime?.ns && compareBytes(before.name, now.name) === 0
  )
}

function completed(walk: Walk, node: Node, place: Place, path: Uint8Array): Node | undefined {
  if (node.type !== 'symlink') return node
  try {
    return { ...node, target: readlinkAt(place.dirFd, place.name) }
  } catch (error) {
    walk.problem(path, error)
    return undefined
  }
}
