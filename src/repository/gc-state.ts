/**
 * What a backup must know of prune: which packs are condemned, and which snapshots were swept. A
 * record that is not the owner's word counts as absent, and is told.
 */
import { isBackupError } from '../util/errors.ts'
import { utf8 } from '../util/bytes.ts'
import { decodeGcRecord, type GcRecord, gcName, parseGcName } from './gc-record.ts'
import { listObjects, loadObject } from './objects.ts'
import type { Repository } from './repository.ts'

export interface GcState {
  /** Packs of the newest plan, or of its verdict once there is one. */
  readonly condemned: ReadonlySet<string>
  /** Names `<group>/<sid>` that the newest verdict lists: what stands there is a ghost. */
  readonly swept: ReadonlySet<string>
}

const NOTHING: GcState = { condemned: new Set(), swept: new Set() }

/**
 * What is listed is asked for every time; what a record says is remembered as it was read, sealed and
 * signed: it never changes, and is never deleted.
 * @param afresh - read records from the repository whatever is remembered: they may have been damaged since
 */
export async function readGcState(repository: Repository, signal?: AbortSignal, { afresh = false }: { readonly afresh?: boolean } = {}): Promise<GcState> {
  const record = (generation: number, kind: 'plan' | 'verdict'): Promise<GcRecord | undefined> => readRecord(repository, generation, kind, { signal, afresh })
  const listed = await listObjects(repository.backend, 'gc', signal)
  const kinds = new Map<number, Set<string>>()
  for (const { name } of listed) {
    const parsed = parseGcName(name)
    if (parsed === undefined) continue
    const known = kinds.get(parsed.generation) ?? new Set()
    kinds.set(parsed.generation, known.add(parsed.kind))
  }
  const generations = [...kinds.keys()].sort((a, b) => b - a)
  let condemned: ReadonlySet<string> | undefined
  let swept: ReadonlySet<string> | undefined
  for (const generation of generations) {
    const verdict = kinds.get(generation)!.has('verdict') ? await record(generation, 'verdict') : undefined
    // The newest that is the owner's word: one that is not must not end the protection of one that is.
    if (condemned === undefined) {
      const newest = verdict ?? (kinds.get(generation)!.has('plan') ? await record(generation, 'plan') : undefined)
      if (newest !== undefined) condemned = new Set(newest.packs)
    }
    if (verdict !== undefined) {
      swept = new Set([...verdict.sweep, ...verdict.sweptBefore])
      break
    }
  }
  return { condemned: condemned ?? NOTHING.condemned, swept: swept ?? NOTHING.swept }
}

async function readRecord(repository: Repository, generation: number, kind: 'plan' | 'verdict', { signal, afresh }: { readonly signal: AbortSignal | undefined; readonly afresh: boolean }): Promise<GcRecord | undefined> {
  const name = gcName(generation, kind)
  const { rows } = await repository.catalogue()
  const remembered = afresh ? undefined : rows.get('gc', utf8(name))
  if (remembered !== undefined) {
    try {
      return decodeGcRecord(repository.keyring, generation, kind, remembered)
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT')) throw error
    }
  }
  const bytes = await loadObject(repository.backend, { type: 'gc', name }, signal)
  try {
    const record = decodeGcRecord(repository.keyring, generation, kind, bytes)
    // Of earlier ones nobody will ask again.
    if (remembered === undefined) await rows.clear('gc')
    // The record may look into the bytes; those of the row are given back once they are written.
    rows.put('gc', utf8(name), bytes.slice())
    return record
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT')) throw error
    repository.notice(`gc record ${name} is damaged or forged and is not obeyed: ${error.message}`)
    return undefined
  }
}
