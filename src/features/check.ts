/**
 * Check: is everything there that snapshots need, and, when asked, is it what it should be? It
 * changes nothing. What is wrong comes as findings, with the snapshots and files that suffer.
 */
import { monotonicMs } from '../util/clock.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import { IdSet } from '../util/id-set.ts'
import { ID_BYTES } from '../repository/format.ts'
import { readGcState } from '../repository/gc-state.ts'
import { listPacks, loadIndex } from '../repository/index-loader.ts'
import { blobCount, blobEntries } from '../repository/pack-entry.ts'
import { loadSlots } from '../repository/unlock.ts'
import type { Repository } from '../repository/repository.ts'
import { loadSnapshots, type MissingSnapshot } from '../snapshot/snapshots.ts'
import { openTreeReader } from '../snapshot/tree-reader.ts'
import { packEntries, type PackTrouble, readPacks } from './check-packs.ts'
import { protocolFindings } from './check-protocol.ts'
import { walkSnapshots } from './check-snapshots.ts'
import type { CheckEvent, Finding, ReadData, Sufferer } from './finding.ts'
import { createLosses, type Losses } from './losses.ts'
import { createStatedBlobs } from './stated-blobs.ts'

export interface CheckOptions {
  /** Without it, only the structure is checked. */
  readonly readData?: ReadData | undefined
  /** Of packs to be read, pass over those that this machine found sound less than this ago. */
  readonly maxAgeMs?: number | undefined
  /** Begin to read no pack after that long; the longest unverified come first. */
  readonly maxDurationMs?: number | undefined
  readonly threads: number
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: CheckEvent) => void) | undefined
}

export interface CheckResult {
  readonly findings: readonly Finding[]
  readonly snapshots: number
  readonly packs: number
  readonly packsRead: number
  readonly bytesRead: number
  /** Packs that were passed over, because they were found sound lately. */
  readonly packsSkipped: number
  /** Packs that were due and not reached in time. */
  readonly packsLeft: number
  readonly durationMs: number
}

const ADVICE = {
  key: 'open it with another password, or put a copy of the slot back',
  index: 'the packs still say what they hold: "nacre repair index --apply" states it anew. Until then a backup stores again what it misses, and prune deletes nothing',
  pack: 'if you have another copy of the repository, put this pack back from it; else "nacre repair packs --apply" saves what still opens, and then "nacre repair files --from PATH --apply" finds what was lost in files that are still there',
  orphan: 'an interrupted backup or a repair left it, and the next "nacre prune" takes it away; if an index object is damaged or gone, "nacre repair index --apply" states it again',
  snapshot: 'if you have another copy of the repository, put this object back from it; else "nacre recover" finds its files, and "nacre forget" with its whole id gives it up',
  vanished: 'if you have another copy of the repository, put this object back from it; else "nacre recover" finds its files, and "nacre prune --lost" with its id gives it up',
  marker: 'put a copy of it back if you have one; else "nacre unforget" removes a broken forgotten marker, and a mark that "nacre tag", "pin" or "describe" makes anew takes the place of a broken one',
  blobs: '"nacre repair files --from PATH --apply" finds them in files that are still there, and a backup of them stores them too; "nacre repair snapshots" makes snapshots without what is lost',
  blobsUnindexed: 'there are packs that no index object states: "nacre repair index --apply" states them, and then check again',
} as const

/** @throws {BackupError} when a list fails: then nothing can be said */
export async function checkRepository(repository: Repository, options: CheckOptions): Promise<CheckResult> {
  const started = monotonicMs()
  const { signal } = options
  const findings: Finding[] = []
  const report = (finding: Finding): void => {
    findings.push(finding)
    options.onEvent?.({ type: 'finding', finding })
  }
  for (const problem of (await loadSlots(repository.backend, repository.keyring.repositoryId, signal)).problems) {
    report({ severity: 'error', code: 'key_damaged', object: problem.path ?? 'keys', message: problem.message, suffers: [], advice: ADVICE.key })
  }
  const gc = await readGcState(repository, signal, { afresh: true })
  for (const finding of await protocolFindings(repository, gc, signal)) report(finding)
  const stated = createStatedBlobs()
  const { catalogue, problems } = await loadIndex(repository, { signal, tolerant: true, afresh: true, onRead: stated.add, referring: { condemned: new Set() } })
  for (const { name, message } of problems) report({ severity: 'error', code: 'index_damaged', object: `index/${name}`, message, suffers: [], advice: ADVICE.index })
  const listed = await listPacks(repository.backend, signal)
  const { snapshots, problems: broken, markerProblems, missing: unlisted } = await loadSnapshots(repository, { signal, gc, afresh: true })
  for (const { name, message } of broken) report({ severity: 'error', code: 'snapshot_damaged', object: `snapshots/${name}`, message, suffers: [], advice: ADVICE.snapshot })
  for (const { object, message } of markerProblems) report({ severity: 'error', code: 'marker_damaged', object, message: `${message}; it is not obeyed`, suffers: [], advice: ADVICE.marker })
  for (const finding of chainFindings(unlisted)) report(finding)

  const packProblems = packsOfIndex(catalogue.packs(), listed)
  const trees = await openTreeReader(repository)
  const walk = async (isGood: (blobId: Uint8Array) => boolean, known?: IdSet): Promise<Losses> => {
    const losses = createLosses()
    await walkSnapshots(trees, snapshots, { isGood, known, isStrict: options.readData !== undefined, onTrouble: losses.add, signal })
    return losses
  }
  // Trees are walked here while the workers read packs; only if these have losses, once more.
  const reading = options.readData === undefined ? undefined : readPacks(repository, { listed: packProblems.sound, readData: options.readData, threads: options.threads, maxAgeMs: options.maxAgeMs, maxDurationMs: options.maxDurationMs, signal, onEvent: options.onEvent })
  const [read, walked] = await bothOrNeither(reading, walk((blobId) => catalogue.has(blobId)))
  const bad = badBlobs(read?.troubles ?? [])
  const losses = bad.isEmpty ? walked : await walk((blobId) => catalogue.locate(blobId).some((at) => !bad.has(at.pack.packId, blobId)))

  /** What is lost and of no pack that is told of. */
  const unexplained = losses.ids
  const sufferersOf = (blobIds: readonly string[]): Sufferer[] => {
    for (const blobId of blobIds) unexplained.delete(fromHex(blobId))
    return unique(blobIds.flatMap((blobId) => losses.sufferersOf(blobId)))
  }
  for await (const { packId, code, message, ids } of withBlobs(repository, packProblems.problems, signal)) {
    const blobs = hexIds(ids)
    const held = blobs.length === 0 ? '' : `; it held ${blobs.length} blobs (${fewOf(blobs)})`
    // Of a repository without its packs this is every blob: kept as bytes, and spelt out when asked for.
    report({ severity: 'error', code, object: `packs/${packId}`, message: `${message}${held}`, suffers: sufferersOf(blobs), get blobs() { return hexIds(ids) }, advice: ADVICE.pack })
  }
  for (const { packId, messages, lostBlobs } of read?.troubles ?? []) {
    const lost = lostBlobs.length === 0 ? '' : `; ${lostBlobs.length} blobs of it are lost (${fewOf(lostBlobs)})`
    report({ severity: 'error', code: 'pack_damaged', object: `packs/${packId}`, message: `${messages.slice(0, 3).join('; ')}${lost}`, suffers: sufferersOf(lostBlobs), blobs: lostBlobs, advice: ADVICE.pack })
  }
  if (unexplained.size > 0) {
    const missing = losses.named().filter((blobId) => unexplained.has(fromHex(blobId)))
    const message = `${unexplained.size} blobs that snapshots need are in no sound pack${missing.length === 0 ? '' : ` (${fewOf(missing)})`}`
    report({ severity: 'error', code: 'blobs_missing', object: 'index', message, suffers: unique(missing.flatMap((blobId) => losses.sufferersOf(blobId))), advice: packProblems.unindexed.length > 0 ? ADVICE.blobsUnindexed : ADVICE.blobs })
  }
  if (losses.isMore) options.onEvent?.({ type: 'notice', message: 'more files may suffer than are named here: of what is met again and again only the first paths are named' })
  for (const packId of packProblems.unindexed) {
    report({ severity: 'warning', code: 'pack_unindexed', object: `packs/${packId}`, message: 'no index object states this pack', suffers: [], advice: ADVICE.orphan })
  }
  return { findings, snapshots: snapshots.length, packs: listed.size, packsRead: read?.packs ?? 0, bytesRead: read?.bytes ?? 0, packsSkipped: read?.skipped ?? 0, packsLeft: read?.left ?? 0, durationMs: monotonicMs() - started }
}

type PackProblem = { readonly packId: string; readonly code: 'pack_missing' | 'pack_size'; readonly message: string }

/** What the index says that these packs hold, a pack at a time: ids one after another. */
async function* withBlobs(repository: Repository, problems: readonly PackProblem[], signal: AbortSignal | undefined): AsyncGenerator<PackProblem & { readonly ids: Uint8Array }> {
  if (problems.length === 0) return
  const left = new Map(problems.map((problem) => [problem.packId, problem]))
  for await (const { entry } of packEntries(repository, new Set(left.keys()), signal)) {
    const ids = new Uint8Array(blobCount(entry) * ID_BYTES)
    let at = 0
    for (const { id } of blobEntries(entry)) ids.set(id, ID_BYTES * at++)
    yield { ...left.get(entry.packId)!, ids }
    left.delete(entry.packId)
  }
  // Whoever stated them has gone meanwhile.
  for (const problem of left.values()) yield { ...problem, ids: new Uint8Array(0) }
}

function hexIds(ids: Uint8Array): string[] {
  return Array.from({ length: ids.length / ID_BYTES }, (_, i) => toHex(ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)))
}

function fewOf(blobIds: readonly string[]): string {
  return `${blobIds.slice(0, 3).map((id) => id.slice(0, 16)).join(', ')}${blobIds.length > 3 ? '…' : ''}`
}

export function packsOfIndex(stated: Iterable<{ readonly packId: string; readonly sizeBytes: number }>, listed: ReadonlyMap<string, number>): {
  problems: PackProblem[]
  sound: Map<string, number>
  unindexed: string[]
} {
  const problems: PackProblem[] = []
  const sound = new Map<string, number>()
  const known = new Set<string>()
  for (const { packId, sizeBytes } of stated) {
    if (known.has(packId)) continue
    known.add(packId)
    const size = listed.get(packId)
    if (size === undefined) problems.push({ packId, code: 'pack_missing', message: 'the pack is missing' })
    else if (size !== sizeBytes) problems.push({ packId, code: 'pack_size', message: `the pack has ${size} bytes instead of ${sizeBytes}: it is cut short or was added to` })
    else sound.set(packId, size)
  }
  return { problems, sound, unindexed: [...listed.keys()].filter((packId) => !known.has(packId)) }
}

/** The results of two that run at once; where one fails, the other is awaited all the same. */
async function bothOrNeither<First, Second>(first: Promise<First> | undefined, second: Promise<Second>): Promise<[First | undefined, Second]> {
  const settled = await Promise.allSettled([first, second])
  for (const result of settled) if (result.status === 'rejected') throw result.reason
  return Promise.all([first, second])
}

/** Blobs that a pack was read for and did not give back. */
function badBlobs(troubles: readonly PackTrouble[]): { readonly isEmpty: boolean; has(packId: string, blobId: Uint8Array): boolean } {
  const byPack = new Map<string, IdSet>()
  for (const { packId, lostBlobs } of troubles) {
    const ids = new IdSet()
    for (const id of lostBlobs) ids.add(fromHex(id))
    byPack.set(packId, ids)
  }
  return { isEmpty: byPack.size === 0, has: (packId, blobId) => byPack.get(packId)?.has(blobId) ?? false }
}

function unique(sufferers: readonly Sufferer[]): Sufferer[] {
  return [...new Map(sufferers.map((item) => [`${item.snapshotId}:${item.part ?? ''}:${Buffer.from(item.path).toString('latin1')}`, item])).values()]
}

/** Every snapshot names the one before it on its host: one that is gone without a verdict is told. */
function chainFindings(missing: readonly MissingSnapshot[]): Finding[] {
  return missing.map(({ name, namedBy }) => ({
    severity: 'warning',
    code: 'snapshot_missing',
    object: `snapshots/${name}`,
    message: `snapshot ${namedBy.id.slice(0, 8)} of host ${namedBy.host} names it as the one before, and it is not there`,
    suffers: [],
    advice: ADVICE.vanished,
  }))
}
