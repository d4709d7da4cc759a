/** Snapshots as retention sees them, and policies as a person writes them. */
import { type DecideOptions, decideRetention } from '../../../src/features/retention/decide.ts'
import { parsePolicy, type RetentionPolicy } from '../../../src/features/retention/policy.ts'
import type { RetentionSubject } from '../../../src/features/retention/subject.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { parseTime } from '../../../src/util/time-text.ts'

/** A time as in RFC 3339; in UTC where it has no offset. */
export function subject(id: string, time: string, more: Partial<Omit<RetentionSubject, 'paths'>> & { paths?: readonly string[] } = {}): RetentionSubject {
  const { ns, zoneMinutes } = parseTime(time, () => 0)
  const { paths = ['/home'], ...rest } = more
  return { id, startNs: ns, zoneMinutes, host: 'nautilus', label: '', tags: [], paths: paths.map(utf8), ...rest }
}

/** `--keep-daily 3 --keep-tag x`; an argument that is empty is written ''. */
export function policy(text: string): RetentionPolicy {
  const words = text.split(' ').filter((word) => word !== '').map((word) => (word === "''" ? '' : word))
  const given = new Map<string, string[]>()
  for (let i = 0; i < words.length; i += 2) given.set(words[i]!.slice(2), [...(given.get(words[i]!.slice(2)) ?? []), words[i + 1]!])
  return parsePolicy({ text: (option) => given.get(option)?.[0], texts: (option) => given.get(option) ?? [] })
}

export const NOW = '2025-03-31T13:00:00Z'

export function at(text: string): bigint {
  return parseTime(text, () => 0).ns
}

/** What is kept of each group, newest first, with the reasons in brackets where they are asked for. */
export function kept(subjects: readonly RetentionSubject[], written: string, options: Partial<DecideOptions> & { reasons?: boolean } = {}): string {
  const groups = decideRetention(subjects, policy(written), { nowNs: at(NOW), ...options })
  return groups.map(({ keep }) => keep.map(({ snapshot, reasons }) => snapshot.id + (options.reasons === true ? `(${reasons.join('+')})` : '')).join(' ')).join(' | ')
}
