/**
 * Restore: folders and files first, then links and special files, and the folders' attributes last,
 * so that nothing is ever written through a link that the snapshot itself has made. All of it is
 * done by descriptor below the target, and nothing that stands there is taken away.
 */
import { monotonicMs } from '../../util/clock.ts'
import { utf8 } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { AT_FDCWD, close, O_DIRECTORY, O_RDONLY, openAt } from '../../util/posix/open.ts'
import { mkdirAtIfAbsent } from '../../util/posix/create.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { openDataKeys } from '../../repository/blob-reader.ts'
import { loadIndex } from '../../repository/index-loader.ts'
import { startOpenPool } from '../../repository/open-pool.ts'
import type { Repository } from '../../repository/repository.ts'
import { createFileRestorer } from './files.ts'
import { createFolders } from './folders.ts'
import { createTargetLook } from './look.ts'
import { nodeAttributes } from './owner.ts'
import { createSpecials } from './specials.ts'
import { createTally, type Tally } from './tally.ts'
import type { RestoreOptions, RestoreResult } from './types.ts'
import { pathOf, type RestoreStep, type Selection, walkSelection } from './walk.ts'
import { joinPath, splitPath } from '../source-paths.ts'
import { openTreeReader, type TreeReader } from '../tree-reader.ts'

type Entry = Extract<RestoreStep, { kind: 'entry' }>

/**
 * @throws {BackupError} PATH_NOT_FOUND; TARGET_REFUSED - the target cannot be made or written; what
 * the backend throws. Problems of single files are data in the result.
 */
export async function restore(repository: Repository, options: RestoreOptions): Promise<RestoreResult> {
  const started = monotonicMs()
  const { signal, snapshot } = options
  const { catalogue } = await loadIndex(repository, { signal, group: snapshot.group })
  const trees = await openTreeReader(repository)
  const selection: Selection = { tree: snapshot.tree, path: options.path, include: options.include ?? [], exclude: options.exclude ?? [] }
  // Reading the first step finds out whether the path is in the snapshot, before anything is made.
  await walkSelection(trees, selection).next()
  const tally = createTally(options)
  const { summary } = snapshot
  if (options.path === undefined) options.onEvent?.({ type: 'expectation', files: summary.totalFiles, bytes: summary.totalBytes })

  const targetFd = openTarget(options)
  try {
    await using pool = await startOpenPool(options.dryRun === true ? 0 : options.threads, { repositoryId: repository.keyring.repositoryId, targetFd, sparse: options.sparse === true })
    const look = createTargetLook(repository, trees, snapshot.group)
    const attributesOf = nodeAttributes({ numericIds: options.numericIds === true })
    const folders = createFolders(targetFd, attributesOf, tally, options.dryRun === true)
    const specials = createSpecials(attributesOf, tally)
    await using files = createFileRestorer({
      repository, catalogue, trees, dataKeys: openDataKeys(repository), pool, targetFd, signal, sparse: options.sparse === true,
      onDone: (file, warning) => tally.fileDone(() => joinPath(file.folder, file.node.name), warning),
      onProblem: (file, reason, message) => tally.problem(joinPath(file.folder, file.node.name), reason, message),
      onBytes: tally.bytes,
    })
    for await (const steps of walkSelection(trees, selection)) {
      for (const step of steps) {
        if (step.kind === 'enter') folders.enter(step.path, step.node)
        else if (step.kind === 'leave') folders.leave()
        else if (step.node.type === 'file') {
          const pending = restoreFile(step)
          if (pending !== undefined) await pending
        } else if (options.dryRun === true) tally.planned('create', pathOf(step), 0)
        else folders.postpone()
      }
    }
    await files.finish()
    if (options.dryRun !== true && folders.isPostponed()) await finishFolders(trees, selection, folders, specials)
    if (options.verify === true && options.dryRun !== true) await verifyFiles(trees, selection, folders, look, tally)
    return { ...tally.result(), durationMs: monotonicMs() - started }

    function restoreFile(step: Entry): void | Promise<void> {
      const dirFd = folders.current()
      if (dirFd === undefined) return
      if (specials.isLater(step)) return folders.postpone()
      if (dirFd === folders.PLANNED || folders.isFresh()) return makeFile(step, 'absent')
      return look.compare(dirFd, step.node).then((standing) => makeFile(step, standing))
    }

    function makeFile(step: Entry, standing: 'absent' | 'same' | 'other'): void | Promise<void> {
      if (standing === 'same') return tally.unchanged(pathOf(step))
      if (standing === 'other') return tally.problem(pathOf(step), 'kept', 'another file stands there and was left as it is')
      if (options.dryRun === true) return tally.planned('create', pathOf(step), step.node.size)
      options.onEvent?.({ type: 'file', path: pathOf(step) })
      return files.add({ folder: step.folder, node: step.node, attributes: attributesOf(step.node, folders.handsDownAcl()), onEnd: folders.begin() })
    }
  } finally {
    if (targetFd !== -1) close(targetFd)
  }
}

/** The second walk, where links and special files are to come: these, and then the folders' own attributes. */
async function finishFolders(trees: TreeReader, selection: Selection, folders: ReturnType<typeof createFolders>, specials: ReturnType<typeof createSpecials>): Promise<void> {
  for await (const steps of walkSelection(trees, selection, (path) => folders.isPostponed(path))) {
    for (const step of steps) {
      if (step.kind === 'enter') folders.reopen(step.path, step.node)
      else if (step.kind === 'leave') folders.finish(step.node)
      else specials.make(folders.targetFd, folders.current(), step, folders.handsDownAcl())
    }
  }
}

async function verifyFiles(trees: TreeReader, selection: Selection, folders: ReturnType<typeof createFolders>, look: ReturnType<typeof createTargetLook>, tally: Tally): Promise<void> {
  const verifyFile = async (step: Entry): Promise<void> => {
    const dirFd = folders.current()
    if (dirFd === undefined || tally.hasProblem(pathOf(step))) return
    if (await look.isContentOf(dirFd, step.node)) tally.verified()
    else tally.problem(pathOf(step), 'damaged', 'read again, it is not what the snapshot holds: the target\'s disk or memory is faulty')
  }
  for await (const steps of walkSelection(trees, selection)) {
    for (const step of steps) {
      if (step.kind === 'enter') folders.reopen(step.path, step.node)
      else if (step.kind === 'leave') folders.leave()
      else if (step.node.type === 'file') await verifyFile(step)
    }
  }
}

function openTarget(options: RestoreOptions): number {
  const target = typeof options.target === 'string' ? utf8(options.target) : options.target
  try {
    if (options.dryRun === true) return openAtOrNone(target)
    let path = target[0] === 0x2f ? '/' : ''
    for (const name of splitPath(target)) {
      path += Buffer.from(name).toString('latin1')
      mkdirAtIfAbsent(AT_FDCWD, Buffer.from(path, 'latin1'), 0o700)
      path += '/'
    }
    return openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY)
  } catch (cause) {
    if (!(cause instanceof PosixError)) throw cause
    throw new BackupError('TARGET_REFUSED', `the target cannot be used: ${cause.message}`, { cause })
  }
}

function openAtOrNone(target: Uint8Array): number {
  try {
    return openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY)
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOENT') return -1
    throw error
  }
}
