/** A length of time that an option gives. */
import { BackupError } from '../index.ts'
import type { Arguments } from './command.ts'
import { parseDuration } from './format.ts'

export function durationOf(args: Arguments, name: string, such: string): number | undefined {
  const text = args.text(name)
  const ms = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && ms === undefined) throw new BackupError('INVALID_ARGUMENT', `--${name} takes a time such as ${such} (d, h, min, s, and combined: 1d12h), not "${text}"`)
  return ms
}
