/**
 * Trying a storage for the two things that safety rests on: of many who create one name at once
 * exactly one is told that he did, and a list shows every object that was created before it began.
 * They are tried by racing and not by asking in turn, since a storage that looks first and writes
 * then passes every test that is made in peace.
 *
 * A probe proves what it finds broken, and nothing about other machines: it races from this one.
 */
import { dataView, equalBytes, toHex } from '../util/bytes.ts'
import { monotonicMs } from '../util/clock.ts'
import { BackupError, isBackupError, messageOf, throwIfAborted } from '../util/errors.ts'
import type { Backend, ObjectRef } from './backend.ts'
import { probeRef } from './layout.ts'

export type ProbeNeed = 'create-if-absent' | 'list-after-create' | 'read-after-create'

export interface ProbeProblem {
  readonly need: ProbeNeed
  readonly message: string
}

export interface ProbeReport {
  readonly location: string
  /** Empty when the storage did all that it was asked. */
  readonly problems: readonly ProbeProblem[]
  /** Why prune wants --exclusive there, if so: what the backend says of itself, and no race can disprove. */
  readonly unguarded: string | undefined
  /** Objects that were made for it. */
  readonly objects: number
  /** Why some of them could not be removed, if so. They do no harm. */
  readonly leftBehind: string | undefined
  readonly durationMs: number
}

const ROUNDS = 3
const RACERS = 8
/** Objects that are created at once, each looked for by a list of its own. */
const LISTED = 6

/** @throws {BackupError} what the backend throws: a storage that cannot be written to at all */
export async function probeBackend(backend: Backend, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<ProbeReport> {
  const started = monotonicMs()
  const made: ObjectRef[] = []
  const problems: ProbeProblem[] = []
  let leftBehind: string | undefined
  const fresh = (): ObjectRef => {
    const ref = probeRef(toHex(randomBytes(16)))
    made.push(ref)
    return ref
  }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      throwIfAborted(options.signal)
      problems.push(...(await raceForOne(backend, fresh())))
    }
    problems.push(...(await listAfterCreate(backend, Array.from({ length: LISTED }, fresh))))
  } finally {
    leftBehind = await removeAll(backend, made)
  }
  const explained = unique(problems).map((problem) => (problem.need === 'create-if-absent' && backend.hasKeptVersions?.() === true ? { ...problem, message: `${problem.message} (the bucket keeps versions; "nacre init" makes a repository there that is pruned by who is alone)` } : problem))
  return { location: backend.location, unguarded: backend.unguarded, problems: explained, objects: made.length, leftBehind, durationMs: monotonicMs() - started }
}

/** @throws {BackupError} BACKEND_UNSUITABLE - names what the storage does not do */
export async function requireSuitable(backend: Backend, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<ProbeReport> {
  const report = await probeBackend(backend, options)
  if (report.problems.length === 0) return report
  const found = report.problems.map(({ message }) => message).join('; ')
  const message = `the storage at ${backend.location} does not do what nacre relies on: ${found}. Snapshots could be lost there; use another storage`
  throw new BackupError('BACKEND_UNSUITABLE', message, { path: backend.location, details: { needs: report.problems.map(({ need }) => need) } })
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** Racers write different bytes of different lengths, so that a mixture shows. */
function bytesOf(racer: number): Uint8Array {
  const bytes = randomBytes(64 + 64 * racer)
  dataView(bytes).setUint32(0, racer, true)
  return bytes
}

async function raceForOne(backend: Backend, ref: ObjectRef): Promise<ProbeProblem[]> {
  const problems: ProbeProblem[] = []
  const bytes = Array.from({ length: RACERS }, (_, racer) => bytesOf(racer))
  const results = await Promise.all(bytes.map((own) => backend.create(ref, [own])))
  const winners = bytes.filter((_, racer) => results[racer] === 'created')
  if (winners.length !== 1) {
    problems.push({ need: 'create-if-absent', message: `of ${RACERS} that created one object at once, ${winners.length === 0 ? 'none' : winners.length} were told that they had, instead of one` })
  }
  const late = await backend.create(ref, [bytesOf(0)])
  if (late !== 'exists') problems.push({ need: 'create-if-absent', message: 'an object that was there could be created again' })
  const standing = await loaded(backend, ref)
  if (standing === undefined || (winners.length === 1 && !equalBytes(standing, winners[0]!))) {
    problems.push({ need: 'read-after-create', message: 'an object that was just created reads otherwise' })
  }
  if (standing !== undefined && (await backend.stat(ref))?.sizeBytes !== standing.length) {
    problems.push({ need: 'read-after-create', message: 'an object that was just created is listed with another size than it has' })
  }
  return problems
}

async function loaded(backend: Backend, ref: ObjectRef): Promise<Uint8Array | undefined> {
  try {
    return await backend.load(ref)
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
    return undefined
  }
}

async function listAfterCreate(backend: Backend, refs: readonly ObjectRef[]): Promise<ProbeProblem[]> {
  const isListed = async (ref: ObjectRef): Promise<boolean> => {
    await backend.create(ref, [bytesOf(0)])
    let isFound = false
    for await (const { name } of backend.list('probes')) isFound ||= name === ref.name
    return isFound
  }
  const missed = (await Promise.all(refs.map(isListed))).filter((isFound) => !isFound).length
  if (missed === 0) return []
  return [{ need: 'list-after-create', message: `${missed} of ${refs.length} objects were missing from a list that began after they were created` }]
}

/** Removing is not asked for: who may only add can back up as well. */
async function removeAll(backend: Backend, refs: readonly ObjectRef[]): Promise<string | undefined> {
  const results = await Promise.allSettled(refs.map((ref) => backend.remove(ref)))
  const failed = results.find((result) => result.status === 'rejected')
  return failed === undefined ? undefined : messageOf(failed.reason)
}

function unique(problems: readonly ProbeProblem[]): ProbeProblem[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()]
}
