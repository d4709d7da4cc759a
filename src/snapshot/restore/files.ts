/**
 * Restoring files in windows: so many files are gathered, their blobs are looked up and sorted by
 * pack and frame, and the workers write them. A file whose blobs come in one read is made whole by
 * a worker; one that is spread over several is open here while its parts arrive. Either has its
 * name only when it is complete.
 */
import { mapOrdered } from '../../util/map-ordered.ts'
import { createQueue } from '../../util/queue.ts'
import { isBackupError } from '../../util/errors.ts'
import type { Catalogue } from '../../repository/catalogue/catalogue.ts'
import { type Content, contentBlobs } from '../content.ts'
import { discard, type FileRestorerOptions, keepHalf, type Run, settle } from './pending.ts'
import { performRead } from './reads.ts'
import { holdBack, NONE_HELD, withHeld } from './hold-back.ts'
import { planReads, type Read } from './requests.ts'
import { reuseBlocks } from './reuse.ts'
import { createWindowGatherer, misfits, type Pending, type RestoreFile, type RestoreWindow, type Use, wholeFiles } from './window.ts'

/** To dispose before `finish` is to give up: what is under way leaves nothing behind. */
export interface FileRestorer extends AsyncDisposable {
  /** A promise only where it must wait. */
  add(file: RestoreFile): void | Promise<void>
  finish(): Promise<void>
}

/** A blob is tried in so many places before it is given up. */
const ROUNDS = 4
/** Windows that wait while their reads are being begun: memory, against workers without work. */
const WINDOWS_WAITING = 1

export function createFileRestorer(options: FileRestorerOptions): FileRestorer {
  const run: Run = { ...options, opened: new Set(), canClone: true, failure: undefined }
  const gatherer = createWindowGatherer()
  const windows = createQueue<RestoreWindow>(WINDOWS_WAITING)
  const running = restoreWindows(run, windows)
  // Who adds is told at once when it fails, and `finish` in any case.
  running.catch((error: unknown) => {
    run.failure = error
    windows.fail(error)
  })

  const ended = (pending: Pending): void | Promise<void> => {
    if (!pending.placement.isComplete()) misfits(pending)
    const window = gatherer.takeIfFull(undefined)
    if (window !== undefined) return windows.push(window)
  }

  const addLong = async (pending: Pending, content: Content): Promise<void> => {
    try {
      for await (const blobs of options.trees.content(content)) {
        gatherer.addBlobs(pending, blobs)
        const window = gatherer.takeIfFull(pending)
        if (window !== undefined) await windows.push(window)
      }
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      pending.problem = { reason: 'damaged', message: error.message }
    }
    return ended(pending)
  }

  return {
    add(file) {
      const pending = gatherer.addFile(file)
      const { content } = file.node
      if (content?.kind === 'list') return addLong(pending, content)
      if (content !== undefined) gatherer.addBlobs(pending, contentBlobs(content.records))
      return ended(pending)
    },
    async finish() {
      await windows.push(gatherer.takeLast())
      windows.end()
      await running
    },
    async [Symbol.asyncDispose]() {
      windows.fail(new Error('the restore was given up'))
      await running.catch(() => undefined)
      const halves = [...run.opened].filter((pending) => keepHalf(run, pending)).length
      if (halves > 0) run.onHalves(halves)
      for (const pending of run.opened) discard(run, pending)
    },
  }
}

interface WindowRead {
  readonly window: RestoreWindow
  /** undefined stands behind the window's last read. */
  readonly read: Read<Pending> | undefined
  readonly whole: ReadonlyMap<Pending, Read<Pending>>
}

/**
 * The reads of all windows as one stream, so that the workers have no pause between two. Results
 * come in order, so behind a window's last read all of the window is there.
 */
async function restoreWindows(run: Run, windows: AsyncIterable<RestoreWindow>): Promise<void> {
  const perform = async (item: WindowRead): Promise<WindowRead> => {
    if (item.read === undefined) return item
    if (run.isDry) countRead(run, item.read)
    else await performRead(run, item.read, item.whole, item.window.damaged)
    return item
  }
  for await (const { window, read } of mapOrdered(windowReads(run, windows), { concurrency: run.pool.workers * 4, signal: run.signal }, perform)) {
    if (read !== undefined) continue
    if (window.damaged.size > 0) await tryElsewhere(run, window)
    for (const file of window.files) if (file !== window.last) settle(run, file)
  }
}

async function* windowReads(run: Run, windows: AsyncIterable<RestoreWindow>): AsyncGenerator<WindowRead> {
  let held = NONE_HELD
  for await (const full of windows) {
    const parted = full.isEnd ? { window: withHeld(full, held), held: NONE_HELD } : holdBack(run.catalogue, withHeld(full, held))
    held = parted.held
    const { window } = parted
    window.wanted = await reuseBlocks(run, window.uses)
    const reads = planReads(run.catalogue, window.wanted, 0, (use) => window.damaged.set(use.file, NOWHERE))
    const whole = wholeFiles(reads)
    for (const read of reads) yield { window, read, whole }
    yield { window, read: undefined, whole }
  }
}

/** What a dry run makes of a read. */
function countRead(run: Run, read: Read<Pending>): void {
  run.onFetched(read.length)
  for (const uses of read.uses) for (const { use, at } of uses) use.file.fetched += at.length
}

const NOWHERE = 'a blob of it is in no pack that the index knows; "nacre check" tells more'

/** Files that a damaged frame has spoilt are tried again as a whole, from other places. */
async function tryElsewhere(run: Run, window: RestoreWindow): Promise<void> {
  for (let round = 1; round < ROUNDS && window.damaged.size > 0; round++) {
    const before = new Map(window.damaged)
    window.damaged.clear()
    const again = new Set([...before.keys()].filter((file) => hasMorePlaces(run.catalogue, file, round, window.wanted)))
    for (const [file, message] of before) if (!again.has(file)) file.problem ??= { reason: 'damaged', message }
    const reads = planReads(run.catalogue, window.wanted.filter((use) => again.has(use.file)), round, (use) => window.damaged.set(use.file, NOWHERE))
    for (const read of reads) await performRead(run, read, new Map(), window.damaged)
  }
  for (const [file, message] of window.damaged) file.problem ??= { reason: 'damaged', message }
}

/** Whether any blob of the file can be had elsewhere. */
function hasMorePlaces(catalogue: Catalogue, file: Pending, round: number, uses: readonly Use[]): boolean {
  return uses.some((use) => use.file === file && catalogue.locate(use.blob.id).length > round)
}

