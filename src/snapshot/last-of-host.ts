/**
 * The snapshot that a host made last, and whether it has vanished. A storage that hides the newest
 * snapshots leaves a chain without a gap, so the chain alone does not show it: what this machine
 * remembers does. The next snapshot then names the one that is gone, and `check` keeps missing it.
 */
import { messageOf } from '../util/errors.ts'
import { type RememberedSnapshot, rememberedSnapshots, rememberSnapshot } from '../repository/catalogue/last-snapshots.ts'
import { type GcState, readGcState } from '../repository/gc-state.ts'
import { splitName } from '../repository/objects.ts'
import type { Repository } from '../repository/repository.ts'
import { lastOfHost } from './parent.ts'
import type { SnapshotList } from './snapshots.ts'

export interface LastOfHost {
  /** The highest that was given. */
  readonly sequence: number
  readonly id: string | undefined
  /** What this machine remembered, and has looked for. */
  readonly remembered: readonly RememberedSnapshot[]
  /** Those of them that are gone though no prune has swept them. */
  readonly vanished: readonly RememberedSnapshot[]
}

export async function findLastOfHost(repository: Repository, host: string, known: Pick<SnapshotList, 'snapshots' | 'forgotten' | 'listed'>, gc: GcState, signal?: AbortSignal): Promise<LastOfHost> {
  const remembered = await remember(repository, host)
  const unlisted = remembered.filter(({ name }) => !known.listed.has(name))
  const vanished = await vanishedOf(repository, unlisted, gc, signal)
  const listed = lastOfHost([...known.snapshots, ...known.forgotten], host)
  const gone = vanished.toSorted((a, b) => b.sequence - a.sequence)[0]
  return {
    sequence: Math.max(listed?.sequence ?? 0, gone?.sequence ?? 0),
    id: gone === undefined ? listed?.id : splitName(gone.name).id,
    remembered,
    vanished,
  }
}

/** A cache that fails is told and fails no backup. */
async function remember(repository: Repository, host: string): Promise<RememberedSnapshot[]> {
  try {
    return await rememberedSnapshots(repository, host)
  } catch (error) {
    repository.notice(`which snapshot this host made last cannot be read (${messageOf(error)}); whether it has vanished is not known`)
    return []
  }
}

/** Of those that a list did not show: it may have begun before they were made. */
async function vanishedOf(repository: Repository, unlisted: readonly RememberedSnapshot[], gc: GcState, signal: AbortSignal | undefined): Promise<RememberedSnapshot[]> {
  const absent: RememberedSnapshot[] = []
  for (const snapshot of unlisted) {
    if (gc.swept.has(snapshot.name)) continue
    if ((await repository.backend.stat({ type: 'snapshots', name: snapshot.name }, { signal })) === undefined) absent.push(snapshot)
  }
  if (absent.length === 0) return []
  // A prune may have swept it since: its verdict comes before the deletion.
  const { swept } = await readGcState(repository, signal)
  return absent.filter(({ name }) => !swept.has(name))
}

export function vanishedMessage(host: string, vanished: RememberedSnapshot): string {
  const { id } = splitName(vanished.name)
  return `snapshot ${id.slice(0, 8)}, which host ${host} made from here, has vanished from the repository, and no prune has removed it: somebody deleted it, or the storage shows an older state; look into it before you rely on this repository ("nacre check" will go on missing it)`
}

export async function rememberLast(repository: Repository, host: string, last: RememberedSnapshot, before: LastOfHost): Promise<void> {
  try {
    await rememberSnapshot(repository, host, last, before.remembered)
  } catch (error) {
    repository.notice(`the snapshot is saved, but this machine cannot remember it (${messageOf(error)}): if it vanishes, the next backup will not notice`)
  }
}
