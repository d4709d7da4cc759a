/**
 * Which snapshots a policy keeps, and why. A pure function of snapshots, policy and time: it can be
 * tried on anything, and whoever acts on it acts on what was shown.
 *
 * The rules are restic's. Snapshots are looked at from the newest on. A rule that counts periods
 * keeps a snapshot whose period differs from that of the one it kept before, until its count is used
 * up; and the oldest of the group, while any of the count is left. Rules are independent of each
 * other: a snapshot may use up several, and is kept if any keeps it. Spans are counted back from the
 * newest snapshot of the group, not from now, and their end is not within.
 *
 * Three things differ on purpose. What is pinned is kept before any rule is asked and uses up no
 * period. What is dated in the future is set aside, kept, and counts for nothing. And no group is
 * emptied unless that is asked for.
 */
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { hasTags } from '../../snapshot/select.ts'
import { GROUP_BY_DEFAULT, type GroupField, type GroupKey, groupSnapshots } from './group.ts'
import { periodOf, type Period, PERIODS } from './period.ts'
import { type Count, isEmptyPolicy, type RetentionPolicy } from './policy.ts'
import { addSpan, isEmptySpan, type Span, spanText } from './span.ts'
import type { RetentionSubject } from './subject.ts'

export interface Kept<S> {
  readonly snapshot: S
  /** Such as `daily snapshot`, `oldest yearly snapshot`, `within 7d`; never empty. */
  readonly reasons: readonly string[]
}

export interface RetentionGroup<S> {
  readonly key: GroupKey
  /** Newest first, as are the others; those set aside are among them. */
  readonly keep: readonly Kept<S>[]
  readonly remove: readonly S[]
  /** Dated later than now: kept, and not counted. */
  readonly future: readonly S[]
}

export interface DecideOptions {
  readonly nowNs: bigint
  readonly groupBy?: readonly GroupField[] | undefined
  readonly allowEmptyGroup?: boolean | undefined
}

/**
 * @param snapshots - what the filters left, in any order; of equal times the first counts as newer
 * @throws {BackupError} INVALID_ARGUMENT - the policy says nothing; GROUP_EMPTIED - it would leave
 * nothing of a group
 */
export function decideRetention<S extends RetentionSubject>(snapshots: readonly S[], policy: RetentionPolicy, options: DecideOptions): RetentionGroup<S>[] {
  if (isEmptyPolicy(policy)) throw new BackupError('INVALID_ARGUMENT', 'the policy keeps nothing, so nothing was done: say what to keep, such as --keep-last 3 or --keep-daily 7 --keep-monthly 12')
  return groupSnapshots(snapshots, options.groupBy ?? GROUP_BY_DEFAULT).map(({ key, snapshots: members }) => {
    const group = decideGroup(members, policy, options.nowNs)
    if (options.allowEmptyGroup !== true) requireSome(key, group)
    return { key, ...group }
  })
}

/** @throws {BackupError} GROUP_EMPTIED - nothing but what is dated in the future would be left */
export function requireSome<S extends RetentionSubject>(key: GroupKey, { keep, remove, future }: Omit<RetentionGroup<S>, 'key'>): void {
  if (remove.length === 0 || keep.length > future.length) return
  const what = [key.host === undefined ? '' : `host ${key.host}`, key.label === undefined || key.label === '' ? '' : `label ${key.label}`, key.paths === undefined ? '' : `paths ${key.paths.map(escapeBytes).join(' ')}`, key.tags === undefined ? '' : `tags ${key.tags.join(',')}`]
  const group = what.filter((part) => part !== '').join(', ')
  throw new BackupError('GROUP_EMPTIED', `this would forget ${remove.length === 1 ? 'the only snapshot' : `all ${remove.length} snapshots`}${group === '' ? '' : ` of ${group}`}; nothing was forgotten. --allow-empty-group does it all the same`)
}

interface Rule {
  readonly name: string
  /** Only what is later. */
  readonly cutoffNs: bigint | undefined
  readonly labelOf: (subject: RetentionSubject, at: number) => string
  left: Count
  previous: string | undefined
}

function decideGroup<S extends RetentionSubject>(members: readonly S[], policy: RetentionPolicy, nowNs: bigint): Omit<RetentionGroup<S>, 'key'> {
  const sorted = [...members].sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0))
  const past = sorted.filter((subject) => subject.startNs <= nowNs)
  const candidates = past.filter((subject) => !isPinned(subject, nowNs))
  const latest = past[0]
  const rules = latest === undefined ? [] : rulesOf(policy, latest)
  const withinNs = latest === undefined ? undefined : cutoff(policy, policy.within.all, latest)
  const reasons = new Map<S, readonly string[]>()
  candidates.forEach((subject, at) => {
    const found = [...tagReasons(policy, subject), ...(withinNs !== undefined && subject.startNs > withinNs ? [`within ${spanText(policy.within.all!)}`] : [])]
    for (const rule of rules) {
      const reason = ask(rule, subject, at, at === candidates.length - 1)
      if (reason !== undefined) found.push(reason)
    }
    if (found.length > 0) reasons.set(subject, found)
  })
  const keep: Kept<S>[] = []
  const remove: S[] = []
  for (const subject of sorted) {
    const set = [...(subject.startNs > nowNs ? ['dated in the future'] : []), ...(isPinned(subject, nowNs) ? ['pinned'] : []), ...(reasons.get(subject) ?? [])]
    if (set.length > 0) keep.push({ snapshot: subject, reasons: set })
    else remove.push(subject)
  }
  return { keep, remove, future: sorted.slice(0, sorted.length - past.length) }
}

/** Whether its pin holds at that time. */
export function isPinned({ pin }: Pick<RetentionSubject, 'pin'>, nowNs: bigint): boolean {
  return pin === 'forever' || (pin !== undefined && pin >= nowNs)
}

function tagReasons(policy: RetentionPolicy, subject: RetentionSubject): string[] {
  const id = policy.ids.some((beginning) => subject.id.startsWith(beginning)) ? ['named by its id'] : []
  return [...id, ...policy.tags.filter((set) => hasTags(subject.tags, set)).map((set) => (set.length === 0 ? 'has no tags' : `has tags ${set.join(',')}`))]
}

function cutoff(policy: RetentionPolicy, span: Span | undefined, latest: RetentionSubject): bigint | undefined {
  if (span === undefined || isEmptySpan(span)) return undefined
  return addSpan(latest.startNs, span, -1, policy.zoneAt ?? (() => latest.zoneMinutes))
}

function rulesOf(policy: RetentionPolicy, latest: RetentionSubject): Rule[] {
  const periodLabel = (period: Period) => (subject: RetentionSubject): string => periodOf(period, subject.startNs, policy.zoneAt?.(subject.startNs) ?? subject.zoneMinutes)
  const rules: Rule[] = []
  const add = (name: string, labelOf: Rule['labelOf'], left: Count | undefined, cutoffNs?: bigint): void => {
    if (left !== undefined && left !== 0) rules.push({ name, cutoffNs, labelOf, left, previous: undefined })
  }
  add('last snapshot', (_, at) => String(at), policy.counts.last)
  for (const period of PERIODS) add(`${period} snapshot`, periodLabel(period), policy.counts[period])
  for (const period of PERIODS) {
    const span = policy.within[period]
    const cutoffNs = cutoff(policy, span, latest)
    if (cutoffNs !== undefined) add(`${period} within ${spanText(span!)}`, periodLabel(period), 'unlimited', cutoffNs)
  }
  return rules
}

/** The reason for which the rule keeps the snapshot, if it does; what it has left goes down. */
function ask(rule: Rule, subject: RetentionSubject, at: number, isOldest: boolean): string | undefined {
  if (rule.left === 0 || (rule.cutoffNs !== undefined && subject.startNs <= rule.cutoffNs)) return undefined
  const label = rule.labelOf(subject, at)
  const isNew = label !== rule.previous
  if (!isNew && !isOldest) return undefined
  rule.previous = label
  if (rule.left !== 'unlimited') rule.left--
  return isNew ? rule.name : `oldest ${rule.name}`
}
