/**
 * What a backup must know of prune: which packs are condemned, and which snapshots were swept. A
 * record that is not the owner's word counts as absent, and is told.
 */
import { isBackupError } from '../util/errors.ts'
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

export async function readGcState(repository: Repository, signal?: AbortSignal): Promise<GcState> {
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
    const verdict = kinds.get(generation)!.has('verdict') ? await readRecord(repository, generation, 'verdict', signal) : undefined
    // The newest that is the owner's word: one that is not must not end the protection of one that is.
    if (condemned === undefined) {
      const record = verdict ?? (kinds.get(generation)!.has('plan') ? await readRecord(repository, generation, 'plan', signal) : undefined)
      if (record !== undefined) condemned = new Set(record.packs)
    }
    if (verdict !== undefined) {
      swept = new Set([...verdict.sweep, ...verdict.sweptBefore])
      break
    }
  }
  return { condemned: condemned ?? NOTHING.condemned, swept: swept ?? NOTHING.swept }
}

async function readRecord(repository: Repository, generation: number, kind: 'plan' | 'verdict', signal: AbortSignal | undefined): Promise<GcRecord | undefined> {
  const bytes = await loadObject(repository.backend, { type: 'gc', name: gcName(generation, kind) }, signal)
  try {
    return decodeGcRecord(repository.keyring, generation, kind, bytes)
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT')) throw error
    repository.notice(`gc record ${gcName(generation, kind)} is damaged or forged and is not obeyed: ${error.message}`)
    return undefined
  }
}
