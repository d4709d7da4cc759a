/**
 * Changing what is said about a snapshot: tags, label, description, pin. A change makes a new mark
 * that holds all that is changed so far. Of two that are made at once one gets the number, and the
 * other is made again over it, so that neither is lost.
 */
import { nowNs } from '../util/clock.ts'
import { BackupError } from '../util/errors.ts'
import { programVersion } from '../util/version-file.ts'
import { encodeMark, type Mark, type Pin, splitMarkName } from '../repository/mark.ts'
import { loadMarks } from '../repository/marker-loader.ts'
import { listObjects, requireStored } from '../repository/objects.ts'
import type { Person, Repository } from '../repository/repository.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { requireOwner } from './owner.ts'

/** What is to be so; the rest stays as it is. */
export interface MarkChange {
  /** The tags to have, from those there are. */
  readonly tags?: ((before: readonly string[]) => readonly string[]) | undefined
  readonly label?: string | undefined
  readonly description?: string | undefined
  readonly pin?: Pin | 'none' | undefined
}

const ATTEMPTS = 1000
const GREATEST_N = 0xffff_ffff

/**
 * @returns whether anything differs from before
 * @throws {BackupError} OWNER_NEEDED
 */
export async function changeMarks(repository: Repository, snapshot: Snapshot, change: MarkChange, options: { readonly person: Person; readonly signal?: AbortSignal | undefined }): Promise<boolean> {
  requireOwner(repository, 'change what is said about snapshots')
  const { backend, keyring } = repository
  const { signal } = options
  const name = `${snapshot.group}/${snapshot.id}`
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { marks, problems } = await loadMarks(repository, { signal })
    const held = marks.get(name)
    const made = { timeNs: nowNs(), ...options.person, program: programVersion() }
    const mark = changed(snapshot, held?.mark, change, made)
    const isBroken = problems.some((problem) => problem.snapshot === name)
    if (mark === undefined && !isBroken) return false
    const n = await nextNumber(repository, name, held?.n, signal)
    const ref = { type: 'marks', name: `${name}.${n}` } as const
    const bytes = encodeMark(keyring, ref.name, mark ?? held?.mark ?? made)
    if ((await backend.create(ref, [bytes], { signal })) !== 'created') continue
    await requireStored(backend, ref, bytes.length, { what: 'the snapshot is as it was; mark it again', signal })
    return true
  }
  throw new BackupError('BACKEND_FAILED', `the snapshot is being marked by others all the time; it was given up after ${ATTEMPTS} attempts`, { retryable: true })
}

/** Above all that are there, so that a broken one is covered; above the one that holds where there is no room. */
async function nextNumber(repository: Repository, name: string, held: number | undefined, signal: AbortSignal | undefined): Promise<number> {
  const taken = (await listObjects(repository.backend, 'marks', signal)).map((info) => splitMarkName(info.name)).filter((mark) => mark.snapshot === name).map((mark) => mark.n)
  const highest = Math.max(-1, ...taken)
  if (highest < GREATEST_N) return highest + 1
  const used = new Set(taken)
  let n = (held ?? -1) + 1
  while (used.has(n)) n++
  return n
}

/** undefined when nothing would differ. */
function changed(snapshot: Snapshot, held: Mark | undefined, change: MarkChange, made: Pick<Mark, 'timeNs' | 'host' | 'user' | 'program'>): Mark | undefined {
  const before = { tags: held?.tags ?? snapshot.tags, label: held?.label ?? snapshot.label, description: held?.description ?? snapshot.description }
  const tags = change.tags === undefined ? undefined : [...new Set(change.tags(before.tags))]
  const pinBefore = (held === undefined ? snapshot.pin : (held.pin ?? snapshot.keepUntilNs)) ?? 'none'
  const isSame =
    (tags === undefined || (tags.length === before.tags.length && tags.every((tag, i) => tag === before.tags[i]))) &&
    (change.label === undefined || change.label === before.label) &&
    (change.description === undefined || change.description === before.description) &&
    (change.pin === undefined || change.pin === pinBefore)
  if (isSame) return undefined
  return {
    ...made,
    tags: tags ?? held?.tags,
    label: change.label ?? held?.label,
    description: change.description ?? held?.description,
    pin: change.pin ?? held?.pin,
  }
}
