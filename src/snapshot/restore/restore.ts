/**
 * Restore: folders and files first, then links and special files, and the folders' attributes last,
 * so that nothing is ever written through a link that the snapshot itself has made. All of it is
 * done by descriptor below the target. What stands there yields only where that is asked for.
 */
import { monotonicMs } from '../../util/clock.ts'
import { BackupError } from '../../util/errors.ts'
import { close } from '../../util/posix/open.ts'
import { openDataKeys } from '../../repository/blob-reader.ts'
import { loadReadableIndex } from '../../repository/index-loader.ts'
import { startOpenPool } from '../../repository/open-pool.ts'
import type { Repository } from '../../repository/repository.ts'
import { joinPath } from '../source-paths.ts'
import { openTreeReader, type TreeReader } from '../tree-reader.ts'
import { createExtras, type Extras } from './extras.ts'
import { createFileRestorer } from './files.ts'
import { createFolders, type Folders } from './folders.ts'
import { createTargetLook, type TargetLook } from './look.ts'
import { nodeAttributes } from './owner.ts'
import { countingRemover, deletingRemover, showingRemover } from './remover.ts'
import { createSpecials, type Specials } from './specials.ts'
import { createStandingFiles } from './standing.ts'
import { createTally, type Tally } from './tally.ts'
import { openTarget, requireNotHome } from './target.ts'
import type { RestoreOptions, RestoreResult } from './types.ts'
import { pathOf, type RestoreStep, type Selection, walkSelection } from './walk.ts'

type Entry = Extract<RestoreStep, { kind: 'entry' }>

/**
 * @throws {BackupError} PATH_NOT_FOUND; INVALID_ARGUMENT - options that exclude each other, or a
 * deletion where none may be; TARGET_REFUSED - the target cannot be made or written, or the deletion
 * was not wanted; TARGET_FULL; what the backend throws. Problems of single files are data in the result.
 */
export async function restore(repository: Repository, options: RestoreOptions): Promise<RestoreResult> {
  const started = monotonicMs()
  requireSense(options)
  const { signal, snapshot, overwrite = 'never', threads } = options
  const isDry = options.dryRun === true
  const { catalogue } = await loadReadableIndex(repository, { signal, group: snapshot.group })
  const trees = await openTreeReader(repository)
  const selection: Selection = { tree: snapshot.tree, path: options.path, include: options.include ?? [], exclude: options.exclude ?? [], stripComponents: options.stripComponents ?? 0 }
  // Reading the first step finds out whether the path is in the snapshot, before anything is made.
  await walkSelection(trees, selection).next()
  const tally = createTally(options)
  const { summary } = snapshot
  if (options.path === undefined) options.onEvent?.({ type: 'expectation', files: summary.totalFiles, bytes: summary.totalBytes })

  const targetFd = openTarget(options)
  try {
    const extras = options.delete === true && targetFd !== -1 ? await createExtras({ repository, trees, snapshot, selection, targetFd, overwrite, signal }) : undefined
    if (extras !== undefined) await confirm(extras, targetFd, options)
    await using pool = await startOpenPool(threads, { repositoryId: repository.keyring.repositoryId, targetFd, sparse: options.sparse === true })
    const look = createTargetLook({ repository, trees, pool, group: snapshot.group, signal })
    const attributesOf = nodeAttributes({ numericIds: options.numericIds === true, noXattrs: options.noXattrs === true })
    const folders = createFolders({ targetFd, attributesOf, tally, overwrite, isDry })
    const clearFolder = async (dirFd: number, { node, folder: path, shownFolder: shown }: Entry): Promise<boolean> =>
      extras?.clear(isDry ? showingRemover(tally) : deletingRemover(tally), { dirFd, shown, path }, { name: Buffer.from(node.name), type: 'directory' }) ?? false
    const specials = createSpecials({ targetFd, attributesOf, tally, overwrite, isDry, planned: folders.PLANNED, clearFolder })
    await using files = createFileRestorer({
      repository, catalogue, trees, dataKeys: openDataKeys(repository), pool, targetFd, signal, group: snapshot.group,
      sparse: options.sparse === true, inPlace: options.inPlace === true, isDry,
      onDone(file, warning) {
        tally.fileDone(file.node.size, () => joinPath(file.folder, file.node.name), warning)
        if (file.replaces) tally.overwritten()
      },
      onPlanned(file, fetched) {
        tally.planned(file.replaces ? 'overwrite' : 'create', joinPath(file.folder, file.node.name), fetched)
        tally.fileDone(file.node.size, () => file.folder, undefined)
        if (file.replaces) tally.overwritten()
      },
      onProblem: (file, reason, message) => tally.problem(joinPath(file.folder, file.node.name), reason, message),
      onBytes: tally.bytes,
      onReused: tally.reused,
      onFetched: tally.fetched,
      onHalves: (files) => options.onEvent?.({ type: 'notice', message: `${files === 1 ? 'a large file stays half-written' : `${files} large files stay half-written`} in the target, under a name that begins with ".nacre-": the same restore goes on with ${files === 1 ? 'it' : 'them'}` }),
    })
    const standing = createStandingFiles({ overwrite, inPlace: options.inPlace === true, isDry, look, tally, attributesOf, clearFolder })
    const isPassedOver = ({ node }: Entry): boolean => options.noDevices === true && (node.type === 'block' || node.type === 'character')

    const addFile = (step: Entry, replaces: boolean, hasBasis: boolean): void | Promise<void> => {
      options.onEvent?.({ type: 'file', path: pathOf(step) })
      // Where zeros are to become holes, what is written over must be nothing.
      const half = options.sparse === true || (options.inPlace === true && hasBasis) ? undefined : folders.takeHalf(step.node)
      return files.add({ folder: step.folder, node: step.node, attributes: attributesOf(step.node, folders.handsDownAcl()), replaces, hasBasis, half, onEnd: folders.begin() })
    }
    const restoreFile = (step: Entry): void | Promise<void> => {
      const dirFd = folders.current()
      if (dirFd === undefined) return
      if (specials.isLater(step)) return folders.postpone()
      if (dirFd === folders.PLANNED || folders.isFresh()) return addFile(step, false, false)
      return standing.look(dirFd, step, folders.handsDownAcl()).then((found) => (found === undefined ? undefined : addFile(step, found.replaces, found.hasBasis)))
    }

    for await (const steps of walkSelection(trees, selection)) {
      for (const step of steps) {
        if (step.kind === 'lost') tally.problem(step.shown.subarray(1), 'kept', `${step.message}; it was not restored`)
        else if (step.kind === 'enter') folders.enter(step.path, step.node)
        else if (step.kind === 'leave') folders.leave()
        else if (step.node.type === 'file') {
          const pending = restoreFile(step)
          if (pending !== undefined) await pending
        } else if (!isPassedOver(step)) folders.postpone()
      }
    }
    await files.finish()
    folders.clearHalves()
    if (folders.isPostponed()) await makeSpecials(trees, selection, { folders, specials, isPassedOver, isDry })
    if (extras !== undefined) await removeExtras(extras, tally, options)
    if (options.verify === true && !isDry) await verifyFiles(trees, selection, { folders, look, tally })
    return { ...tally.result(), durationMs: monotonicMs() - started }
  } finally {
    if (targetFd !== -1) close(targetFd)
  }
}

function requireSense(options: RestoreOptions): void {
  const refuse = (message: string): never => {
    throw new BackupError('INVALID_ARGUMENT', message)
  }
  if (options.delete === true && (options.stripComponents ?? 0) > 0) refuse('--delete and --strip-components do not go together: restore SNAPSHOT:FOLDER instead')
  if (options.inPlace === true && options.sparse === true) refuse('--in-place and --sparse do not go together: holes are only made in new files')
  if (options.inPlace === true && (options.overwrite ?? 'never') === 'never') refuse('--in-place needs --overwrite always, if-changed or if-newer')
}

/** All lists are read here, so nothing is changed where one of them cannot be. */
async function confirm(extras: Extras, targetFd: number, options: RestoreOptions): Promise<void> {
  if (options.deleteInHomeOrRoot !== true) requireNotHome(targetFd)
  const remover = countingRemover()
  await extras.visit(remover, true)
  const deletion = remover.counted()
  if (options.dryRun === true || deletion.files + deletion.folders === 0) return
  if ((await options.confirmDelete?.(deletion)) === false) throw new BackupError('TARGET_REFUSED', 'nothing was changed, as the deletion was not wanted')
}

async function removeExtras(extras: Extras, tally: Tally, options: RestoreOptions): Promise<void> {
  if (tally.isIncomplete()) return options.onEvent?.({ type: 'notice', message: 'nothing more was deleted, since not everything could be restored' })
  await extras.visit(options.dryRun === true ? showingRemover(tally) : deletingRemover(tally), false)
}

interface SecondWalk {
  readonly folders: Folders
  readonly specials: Specials
  readonly isPassedOver: (step: Entry) => boolean
  readonly isDry: boolean
}

/** The second walk, where links and special files are to come: these, and then the folders' own attributes. */
async function makeSpecials(trees: TreeReader, selection: Selection, { folders, specials, isPassedOver, isDry }: SecondWalk): Promise<void> {
  for await (const steps of walkSelection(trees, selection, (path) => isDry || folders.isPostponed(path))) {
    for (const step of steps) {
      if (step.kind === 'enter') folders.reopen(step.path, step.node)
      else if (step.kind === 'leave' && isDry) folders.leave()
      else if (step.kind === 'leave') folders.finish(step.node)
      else if (step.kind === 'entry' && !isPassedOver(step)) await specials.make(folders.current(), step, folders.handsDownAcl())
    }
  }
}

interface Verification {
  readonly folders: Folders
  readonly look: TargetLook
  readonly tally: Tally
}

async function verifyFiles(trees: TreeReader, selection: Selection, { folders, look, tally }: Verification): Promise<void> {
  const verifyFile = async (step: Entry): Promise<void> => {
    const dirFd = folders.current()
    if (dirFd === undefined || tally.hasProblem(pathOf(step)) || tally.isNewer(pathOf(step))) return
    if (await look.isContentOf(dirFd, step.node)) tally.verified()
    else tally.problem(pathOf(step), 'damaged', 'read again, it is not what the snapshot holds: the target\'s disk or memory is faulty, or somebody has changed it')
  }
  for await (const steps of walkSelection(trees, selection)) {
    for (const step of steps) {
      if (step.kind === 'enter') folders.reopen(step.path, step.node)
      else if (step.kind === 'leave') folders.leave()
      else if (step.kind === 'entry' && step.node.type === 'file') await verifyFile(step)
    }
  }
}
