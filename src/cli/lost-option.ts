/** Snapshots that the storage has lost and that are given up by name: the one way to go on without them. */
import { BackupError } from '../index.ts'
import type { Arguments, OptionSpec } from './command.ts'

export const LOST: Readonly<Record<string, OptionSpec>> = {
  lost: { kind: 'texts', value: 'ID', describe: 'go on without this snapshot, which the storage has lost (may be repeated)' },
}

export function lostOf(args: Arguments): readonly string[] {
  return args.texts('lost').map((text) => {
    if (!/^[0-9a-fA-F]{8,32}$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--lost takes the id of a snapshot, eight digits of it at least, not "${text}"`)
    return text.toLowerCase()
  })
}
