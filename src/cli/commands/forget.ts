import { availableParallelism } from 'node:os'
import { BackupError, forgetSnapshots, type ForgetPlan, type ForgetResult, GROUP_BY_DEFAULT, isEmptyPolicy, nowNs, parseGroupBy, parsePolicy, PERIODS, planByIds, planByPolicy, POLICY_OPTIONS, shortId } from '../../index.ts'
import type { Arguments, Command, OptionSpec } from '../command.ts'
import { display } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, filterOf, hasFilter, openChooser } from '../filters.ts'
import { count } from '../format.ts'
import { LOST, lostOf } from '../lost-option.ts'
import type { Output } from '../output.ts'
import { person } from '../person.ts'
import { runPrune } from '../prune-output.ts'
import { groupJson, tellGroup } from '../retention-output.ts'
import { simulate } from '../simulation.ts'

const COUNTED = 'N|unlimited|SPAN'

function keepOptions(): Record<string, OptionSpec> {
  const options: Record<string, OptionSpec> = { 'keep-last': { kind: 'text', value: COUNTED, describe: 'the newest N, or all in a span before the newest' } }
  const noun = { hourly: 'hour', daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' } as const
  for (const period of PERIODS) options[`keep-${period}`] = { kind: 'text', value: COUNTED, describe: `the newest of each of the last N ${noun[period]}s with snapshots, or in a span` }
  options['keep-within'] = { kind: 'text', value: 'SPAN', describe: 'all in a span before the newest (7d, 2w, 1y6m)' }
  for (const period of PERIODS) options[`keep-within-${period}`] = { kind: 'text', value: 'SPAN', describe: `the newest of each ${noun[period]} in a span before the newest` }
  return options
}

export const command: Command = {
  usage: 'forget [SNAPSHOT…]',
  summary: 'Gives snapshots up: those that a policy does not keep, group by group, or those that are named. What is forgotten can be brought back by "nacre unforget" until a prune has planned its end.',
  example: ['-r /backup/repo forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run', 'show what would be kept, and why'],
  options: {
    ...keepOptions(),
    'keep-tag': { kind: 'texts', value: 'TAG[,TAG]', describe: 'all with these tags (repeated: or; with commas: and; \'\' for untagged)' },
    'keep-id': { kind: 'texts', value: 'ID', describe: 'those whose id begins so (may be repeated)' },
    'group-by': { kind: 'text', value: 'FIELDS', describe: 'apply the policy to each group by host, label, paths, tags; \'\' is one group (host,paths)' },
    tz: { kind: 'text', value: 'ZONE', describe: 'calendar of this zone (UTC, local, +02:00, Europe/Berlin), not of the offset that each snapshot was made at' },
    ...FILTERS,
    'allow-empty-group': { kind: 'flag', describe: 'forget even the last snapshot of a group' },
    ...LOST,
    'dry-run': { kind: 'flag', describe: 'show what would be done, and do nothing' },
    prune: { kind: 'flag', describe: 'prune afterwards: what was forgotten cannot be brought back then' },
    simulate: { kind: 'text', value: 'SPAN', describe: 'draw what the policy would leave over such a time; needs no repository' },
    every: { kind: 'text', value: 'SPAN', describe: 'how often the simulation backs up (1d)' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  outlivesReader: true,
  async run(context) {
    const { args, output, signal } = context
    const ids = args.positionals
    const policy = parsePolicy(args)
    const groupBy = args.text('group-by') === undefined ? GROUP_BY_DEFAULT : parseGroupBy(args.text('group-by')!)
    requireSense(args)
    if (args.text('simulate') !== undefined) return simulate(args, output, policy)
    const { repository, list } = await openChooser(context, undefined, false)
    for (const { message } of list.markerProblems) output.warn(`nacre: ${display(message)}; it is not obeyed`)
    const options = { nowNs: nowNs(), groupBy, filter: filterOf(args), allowEmptyGroup: args.flag('allow-empty-group'), lost: lostOf(args) }
    const plan = ids.length > 0 ? planByIds(list, ids, options) : planByPolicy(list, policy, options)
    const isDry = args.flag('dry-run')
    const result = isDry ? undefined : await forgetSnapshots(repository, plan.names, { person: person(), signal })
    if (output.isJson) output.json(plan.groups.map(groupJson))
    else for (const group of plan.groups) tellGroup(output, group, ids.length > 0)
    const code = tellResult(output, plan, result, ids.length > 0)
    if (!args.flag('prune')) return code
    if (isDry) {
      output.info('a prune would follow; "nacre prune --dry-run" tells what it frees of what is forgotten already')
      return code
    }
    return Math.max(code, await runPrune(repository, output, { person: person(), threads: availableParallelism(), lost: lostOf(args), signal }))
  },
}

/** Before anything is opened: what could not be meant. */
function requireSense(args: Arguments): void {
  const given = POLICY_OPTIONS.filter((option) => args.texts(option).length > 0)
  const isSimulation = args.text('simulate') !== undefined
  if (args.positionals.length > 0 && (given.length > 0 || isSimulation)) {
    throw new BackupError('INVALID_ARGUMENT', `name snapshots or give a policy, not both (--${given[0] ?? 'simulate'})`)
  }
  if (args.flag('prune') && isSimulation) throw new BackupError('INVALID_ARGUMENT', '--prune does not go with --simulate')
  if (args.text('every') !== undefined && !isSimulation) throw new BackupError('INVALID_ARGUMENT', '--every belongs to --simulate')
  if (args.positionals.length === 0 && isEmptyPolicy(parsePolicy(args))) {
    throw new BackupError('INVALID_ARGUMENT', `the policy keeps nothing, so nothing was done${hasFilter(args) ? ' (a filter chooses snapshots and keeps none)' : ''}: say what to keep, such as --keep-last 3 or --keep-daily 7 --keep-monthly 12`)
  }
}

function tellResult(output: Output, plan: ForgetPlan, result: ForgetResult | undefined, isNamed: boolean): number {
  for (const { id } of plan.already) output.warn(`nacre: snapshot ${shortId(id)} is forgotten already`)
  const future = isNamed ? [] : plan.groups.flatMap((group) => group.future)
  for (const { id } of future) output.warn(`nacre: snapshot ${shortId(id)} is dated in the future; it was set aside: kept, and not counted`)
  for (const { name, message } of result?.failed ?? []) output.warn(`nacre: ${display(name)} could not be forgotten: ${display(message)}`)
  if (result === undefined) output.info(`would forget ${count(plan.names.length, 'snapshot')}; dry run: nothing was done`)
  else if (result.failed.length > 0 && result.forgotten.length === 0) output.info('nothing was forgotten')
  else output.info(result.forgotten.length === 0 ? 'nothing to forget' : `forgot ${count(result.forgotten.length, 'snapshot')}; "nacre unforget ID" brings one back until a prune has planned its end`)
  return (result?.failed.length ?? 0) > 0 ? EXIT.incomplete : EXIT.done
}
