/**
 * What check says of the objects by which backups and prunes agree: gc records, sessions and late
 * duplicates of commits. Damage there loses no data by itself, but may stop a prune or keep it waiting.
 */
import { isBackupError } from '../util/errors.ts'
import { readGeneration } from '../repository/gc-generations.ts'
import { gcName, parseGcName } from '../repository/gc-record.ts'
import type { GcState } from '../repository/gc-state.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { looksLikeFence } from '../repository/register.ts'
import type { Repository } from '../repository/repository.ts'
import { findSessions } from '../repository/sessions.ts'
import type { Finding } from './finding.ts'

const ADVICE = {
  record: 'put a copy of it back if you have one; a prune closes a generation whose plan is damaged without deleting, and stops at a damaged verdict',
  open: 'nothing is wrong; the next "nacre prune" finishes it',
  session: 'a prune fences it in time, or "nacre sessions fence" at once',
  ghost: 'nobody reads it, and the next prune takes it away',
} as const

const KINDS = ['plan', 'verdict', 'done'] as const

/** @throws {BackupError} when a list fails */
export async function protocolFindings(repository: Repository, gc: GcState, signal?: AbortSignal): Promise<Finding[]> {
  return [...(await generationFindings(repository, signal)), ...(await sessionFindings(repository, signal)), ...(await ghostFindings(repository, gc, signal))]
}

/** Records are never deleted: of the older generations all must be listed, and the newest is read. */
async function generationFindings(repository: Repository, signal: AbortSignal | undefined): Promise<Finding[]> {
  const findings: Finding[] = []
  const names = new Set((await listObjects(repository.backend, 'gc', signal)).map(({ name }) => name))
  const newest = Math.max(0, ...[...names].map((name) => parseGcName(name)?.generation ?? 0))
  for (let number = 1; number < newest; number++) {
    const lacking = KINDS.filter((kind) => kind !== 'plan' && !names.has(gcName(number, kind)))
    if (lacking.length > 0) findings.push(finding('error', 'gc_missing', gcName(number, lacking[0]!), `prune generation ${number} has no ${lacking.join(' and no ')}, and later ones follow it`, ADVICE.record))
  }
  if (newest === 0) return findings
  const generation = await readGeneration(repository, newest, signal)
  for (const kind of KINDS) {
    if (generation[kind] === 'damaged') findings.push(finding('error', 'gc_damaged', gcName(newest, kind), `the ${kind} of prune generation ${newest} is damaged or forged; it is not obeyed`, ADVICE.record))
  }
  if (generation.done === undefined) findings.push(finding('warning', 'gc_open', gcName(newest, 'plan'), `prune generation ${newest} is not finished`, ADVICE.open))
  return findings
}

async function sessionFindings(repository: Repository, signal: AbortSignal | undefined): Promise<Finding[]> {
  const { keyring } = repository
  const sessions = (await findSessions(repository, signal)).filter(({ group }) => keyring.role === 'owner' || group === keyring.group)
  return sessions.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ ...base, severity: 'warning', code: 'session_damaged', object: `sessions/${name}`, message: problem, advice: ADVICE.session }]))
}

async function ghostFindings(repository: Repository, gc: GcState, signal: AbortSignal | undefined): Promise<Finding[]> {
  const { backend, keyring } = repository
  const findings: Finding[] = []
  for (const { name } of await listObjects(backend, 'snapshots', signal)) {
    if (!gc.swept.has(name) || (keyring.role !== 'owner' && splitName(name).group !== keyring.group)) continue
    if (await isFence(repository, name, signal)) continue
    findings.push({ ...base, severity: 'warning', code: 'snapshot_ghost', object: `snapshots/${name}`, message: 'a prune has swept this snapshot, and it is there: left by a prune that was cut off, or committed once more, too late', advice: ADVICE.ghost })
  }
  return findings
}

async function isFence({ backend }: Repository, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return looksLikeFence(await loadObject(backend, { type: 'snapshots', name }, signal))
  } catch (error) {
    if (isBackupError(error, 'BACKEND_NOT_FOUND')) return true
    if (!isBackupError(error, 'CORRUPT')) throw error
    return false
  }
}

const base = { suffers: [] } as const

function finding(severity: Finding['severity'], code: Finding['code'], name: string, message: string, advice: string): Finding {
  return { ...base, severity, code, object: `gc/${name}`, message, advice }
}
