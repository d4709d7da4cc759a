/**
 * Which snapshots are shown, looked for again when somebody looks at their folders and the last look
 * was long ago: a mount that nobody uses asks for nothing. If the storage does not answer soon, or
 * fails, what was known is shown, and the next look tries again.
 */
import { monotonicMs, nowNs, zoneOffsetMinutes } from '../../util/clock.ts'
import { messageOf } from '../../util/errors.ts'
import { loadReadableIndex } from '../../repository/index-loader.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { loadSnapshots, type SnapshotList } from '../../snapshot/snapshots.ts'
import { type LayoutFolder, layoutOf, withChanges } from './layout.ts'
import type { PathTemplate } from './path-template.ts'

export interface SnapshotSource {
  layout(): Promise<LayoutFolder>
}

export interface SnapshotSourceOptions {
  readonly repository: Repository
  /** Those of a list that are shown. */
  readonly choose: (list: SnapshotList) => readonly Snapshot[]
  /** undefined: never look again. */
  readonly refreshMs: number | undefined
  readonly templates: readonly PathTemplate[] | undefined
  readonly onProblem: (message: string) => void
}

/** So long a look is waited for. */
const PATIENCE_MS = 2000

/** @throws {BackupError} as loading snapshots does, the first time */
export async function openSnapshotSource({ repository, choose, refreshMs, templates, onProblem }: SnapshotSourceOptions): Promise<SnapshotSource> {
  const look = async (): Promise<LayoutFolder> => {
    const list = await loadSnapshots(repository)
    const named = [...list.snapshots, ...list.forgotten].sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : a.id < b.id ? -1 : 1))
    return layoutOf({ snapshots: choose(list), named, nowNs: nowNs(), zoneAt: zoneOffsetMinutes, templates })
  }
  let layout = await look()
  await loadReadableIndex(repository)
  let lookedMs = monotonicMs()
  let looking: Promise<void> | undefined

  const lookAgain = async (): Promise<void> => {
    try {
      const found = await look()
      // Of snapshots that are new, the index has to tell where their blobs lie.
      if (isNew(layout, found)) await loadReadableIndex(repository)
      layout = withChanges(layout, found, nowNs())
    } catch (error) {
      onProblem(`cannot look for new snapshots, those that were known are shown: ${messageOf(error)}`)
    } finally {
      lookedMs = monotonicMs()
      looking = undefined
    }
  }

  return {
    async layout() {
      if (refreshMs !== undefined && monotonicMs() - lookedMs >= refreshMs) {
        looking ??= lookAgain()
        await withPatience(looking)
      }
      return layout
    },
  }
}

function isNew(before: LayoutFolder, now: LayoutFolder): boolean {
  const known = new Set(idsOf(before))
  return idsOf(now).some((id) => !known.has(id))
}

function idsOf(root: LayoutFolder): string[] {
  const snapshots = root.entries.get('snapshots')
  return snapshots?.kind === 'folder' ? [...snapshots.entries.values()].flatMap((entry) => (entry.kind === 'snapshot' ? [entry.snapshot.id] : [])) : []
}

async function withPatience(looking: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS)
  })
  await Promise.race([looking, patience])
  clearTimeout(timer)
}
