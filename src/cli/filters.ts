/** The filters by which every command chooses snapshots, and what a word means among those they leave. */
import { filterSnapshots, loadSnapshots, nowNs, parseTime, type Repository, resolveSnapshot, type Snapshot, type SnapshotFilter, type SnapshotList } from '../index.ts'
import type { Arguments, Context, OptionSpec } from './command.ts'

export const FILTERS: Readonly<Record<string, OptionSpec>> = {
  host: { kind: 'texts', value: 'HOST', describe: 'only of this host (may be repeated: any of them)' },
  tag: { kind: 'texts', value: 'TAG[,TAG]', describe: 'only with these tags (repeated: or; with commas: and)' },
  label: { kind: 'texts', value: 'LABEL', describe: 'only with this label (may be repeated: any of them)' },
  path: { kind: 'texts', value: 'PATH', describe: 'only of this path (repeated: all of them)' },
  before: { kind: 'text', value: 'TIME', describe: 'only begun before then' },
  after: { kind: 'text', value: 'TIME', describe: 'only begun then or later' },
}

export function filterOf(args: Arguments): SnapshotFilter {
  return { hosts: args.texts('host'), tags: args.texts('tag'), labels: args.texts('label'), paths: args.paths('path'), beforeNs: timeOf(args, 'before'), afterNs: timeOf(args, 'after') }
}

/** A time that an option gives. */
export function timeOf(args: Arguments, option: string): bigint | undefined {
  const text = args.text(option)
  return text === undefined ? undefined : parseTime(text).ns
}

export function hasFilter(args: Arguments): boolean {
  return Object.entries(FILTERS).some(([name, { kind }]) => (kind === 'text' ? args.text(name) !== undefined : args.paths(name).length > 0))
}

export interface Chooser {
  readonly repository: Repository
  readonly list: SnapshotList
  /** Those that the filters leave. */
  readonly snapshots: readonly Snapshot[]
  /** The one that is meant by a word. */
  choose(text: string): Snapshot
}

/**
 * Opens the repository, after a look at the filters: what is written wrong is told before anything is opened.
 * @param filter - by default what the command's options say
 * @param looks - whether the command only looks
 */
export async function openChooser({ args, signal, openRepository }: Context, filter = filterOf(args), looks = true): Promise<Chooser> {
  const repository = await openRepository({ looks })
  const list = await loadSnapshots(repository, { signal })
  const snapshots = filterSnapshots(list.snapshots, filter)
  return { repository, list, snapshots, choose: (text) => resolveSnapshot(snapshots, text, nowNs(), list.forgotten) }
}
