/** Draws what a policy would leave: a row for each look, time from left to right, a stroke for what is left there. */
import { formatTime, nowNs, parseZone, requireSpan, type RetentionPolicy, simulateRetention, type SimulationLook, zoneOffsetMinutes } from '../index.ts'
import type { Arguments } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { count, table } from './format.ts'
import type { Output } from './output.ts'

const LOOKS = 18
const WIDTH = 60
/** One snapshot, several, and many in a column. */
const STROKES = [' ', '|', '2', '3', '4', '5', '6', '7', '8', '9', '#'] as const

export function simulate(args: Arguments, output: Output, policy: RetentionPolicy): number {
  const zone = args.text('tz')
  const zoneAt = zone === undefined ? zoneOffsetMinutes : parseZone(zone)
  const length = requireSpan('simulate', args.text('simulate')!)
  const every = requireSpan('every', args.text('every') ?? '1d')
  const looks = simulateRetention(policy, { startNs: nowNs(), zoneAt, length, every, looks: LOOKS })
  const time = (ns: bigint): string => formatTime(ns, zoneAt(ns))
  if (output.isJson) {
    output.json(looks.map((look) => ({ time: time(look.timeNs), made: look.made, kept: look.kept.map(({ timeNs, reasons }) => ({ time: time(timeNs), matches: reasons })) })))
    return EXIT.done
  }
  const [first, last] = [looks[0]!.kept.at(-1)?.timeNs ?? looks[0]!.timeNs, looks.at(-1)!]
  output.result(table(['on', 'made', 'kept', 'from the first backup to the last'], looks.map((look) => [time(look.timeNs).slice(0, 10), String(look.made), String(look.kept.length), strip(look, first, last.timeNs)])))
  output.result(`\nat the end, of ${count(last.made, 'backup')}, ${count(last.kept.length, 'snapshot')} would be left:`)
  output.result(table(['time', 'why'], last.kept.map(({ timeNs, reasons }) => [time(timeNs).slice(0, 16).replace('T', ' '), reasons.join(', ')])))
  return EXIT.done
}

function strip(look: SimulationLook, firstNs: bigint, lastNs: bigint): string {
  const columns = new Array<number>(WIDTH).fill(0)
  const range = Number(lastNs - firstNs)
  for (const { timeNs } of look.kept) {
    const at = range === 0 ? 0 : Math.round((Number(timeNs - firstNs) / range) * (WIDTH - 1))
    columns[at] = (columns[at] ?? 0) + 1
  }
  return columns.map((sum) => STROKES[Math.min(sum, STROKES.length - 1)]).join('').trimEnd()
}
