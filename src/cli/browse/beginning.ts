/** What is on the screen at first: the snapshots, or a path of one. */
import { homedir } from 'node:os'
import type { Node, Snapshot } from '../../index.ts'
import type { Arguments } from '../command.ts'
import { FILTERS } from '../filters.ts'
import { shellOption } from '../shell-quote.ts'
import { listOf, select } from './list.ts'
import { bodyHeight, type Model, type Size } from './model.ts'
import { wayViews } from './opening.ts'

export interface BeginOptions {
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly program: string
  readonly filters: string
  /** Where to begin, with the nodes on the way there. */
  readonly at: { readonly snapshot: Snapshot; readonly way: readonly Node[] } | undefined
}

export function beginning({ snapshots, program, filters, at }: BeginOptions, size: Size): Model {
  const newestFirst = snapshots.toReversed()
  const list = listOf(newestFirst)
  const selected = at === undefined ? 0 : newestFirst.indexOf(at.snapshot)
  return {
    size,
    views: [{ kind: 'snapshots', list: select(list, selected, bodyHeight(size)) }, ...(at === undefined ? [] : wayViews(at.snapshot, at.way))],
    marks: [],
    prompt: undefined,
    work: undefined,
    notice: undefined,
    needle: '',
    nextWork: 1,
    snapshots,
    program,
    filters,
    home: homedir(),
    end: undefined,
  }
}

/** How commands for the same repository begin; what the environment says need not be said. */
export function programWords(args: Arguments, shownLocation: string): string {
  return `nacre${args.text('repo') === undefined ? '' : ` ${shellOption('repo', shownLocation).replace(/^--repo /, '-r ')}`}`
}

/** The filters, as they are written behind a command. */
export function filterWords(args: Arguments): string {
  return Object.keys(FILTERS).flatMap((name) => args.paths(name).map((value) => ` ${shellOption(name, value)}`)).join('')
}

