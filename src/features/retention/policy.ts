/**
 * A retention policy, and how a person writes one. Every rule is either a count of periods or a span
 * back from the newest snapshot, so `--keep-daily 7d` is `--keep-within-daily 7d`.
 */
import { BackupError } from '../../util/errors.ts'
import { parseZone, type ZoneAt } from '../../util/time-zone.ts'
import { tagsOf } from '../../snapshot/select.ts'
import { type Period, PERIODS } from './period.ts'
import { isEmptySpan, parseSpan, requireSpan, type Span, SPAN_GRAMMAR } from './span.ts'

export type Count = number | 'unlimited'

export interface RetentionPolicy {
  /** The newest of so many periods; `last` counts snapshots. */
  readonly counts: Readonly<Partial<Record<'last' | Period, Count>>>
  /** The newest of every period in a span before the newest snapshot; `all` keeps every snapshot in it. */
  readonly within: Readonly<Partial<Record<'all' | Period, Span>>>
  /** Sets of tags: any of the sets, all of its tags; the empty set means untagged. */
  readonly tags: readonly (readonly string[])[]
  /** Beginnings of ids. */
  readonly ids: readonly string[]
  /** The calendar that periods and spans go by; by default the offset that each snapshot was made at. */
  readonly zoneAt?: ZoneAt | undefined
}

/** What was written behind each option; names are those of the command line without dashes. */
export interface PolicyTexts {
  text(option: string): string | undefined
  texts(option: string): readonly string[]
}

export const POLICY_OPTIONS = ['keep-last', ...PERIODS.map((period) => `keep-${period}`), 'keep-within', ...PERIODS.map((period) => `keep-within-${period}`), 'keep-tag', 'keep-id'] as const

const COUNT = /^\d{1,9}$/
const ID_BEGINNING = /^[0-9a-f]{1,32}$/i

/** @throws {BackupError} INVALID_ARGUMENT - neither a count nor a span, with the grammar; a rule given twice */
export function parsePolicy(given: PolicyTexts): RetentionPolicy {
  const counts: Partial<Record<'last' | Period, Count>> = {}
  const within: Partial<Record<'all' | Period, Span>> = {}
  const put = (rule: 'all' | Period, option: string, span: Span): void => {
    if (isEmptySpan(span)) return
    if (within[rule] !== undefined) throw new BackupError('INVALID_ARGUMENT', `--${option} says again what a --keep-within option says; give one of them`)
    within[rule] = span
  }
  for (const rule of ['all', ...PERIODS] as const) {
    const option = rule === 'all' ? 'keep-within' : `keep-within-${rule}`
    const text = given.text(option)
    if (text !== undefined) put(rule, option, requireSpan(option, text))
  }
  for (const rule of ['last', ...PERIODS] as const) {
    const option = `keep-${rule}`
    const text = given.text(option)
    if (text === undefined) continue
    const value = countOrSpan(option, text)
    if (typeof value === 'object') put(rule === 'last' ? 'all' : rule, option, value)
    else if (value !== 0) counts[rule] = value
  }
  const ids = given.texts('keep-id')
  for (const id of ids) if (!ID_BEGINNING.test(id)) throw new BackupError('INVALID_ARGUMENT', `--keep-id takes the beginning of an id, not "${id}"`)
  const zone = given.text('tz')
  return {
    counts, within, tags: given.texts('keep-tag').map(tagsOf), ids: ids.map((id) => id.toLowerCase()),
    ...(zone === undefined ? {} : { zoneAt: parseZone(zone) }),
  }
}

function countOrSpan(option: string, text: string): Count | Span {
  if (text === 'unlimited') return 'unlimited'
  if (COUNT.test(text)) return Number(text)
  const span = parseSpan(text)
  if (span === undefined) throw new BackupError('INVALID_ARGUMENT', `--${option} takes a number from 0 on, "unlimited", or a span, not "${text}": ${SPAN_GRAMMAR}`)
  return span
}

/** Whether it keeps nothing by any rule. */
export function isEmptyPolicy({ counts, within, tags, ids }: RetentionPolicy): boolean {
  return Object.values(counts).every((count) => count === 0) && Object.values(within).every(isEmptySpan) && tags.length === 0 && ids.length === 0
}
