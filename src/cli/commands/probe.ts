import { networkFileSystem, parseLocation, probePlace } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { count, duration } from '../format.ts'

export const command: Command = {
  usage: 'probe',
  summary: 'Tries whether the storage does what safety rests on, by racing for names there. It needs no password, and takes away what it makes. To try more than one machine, run it on several at once.',
  example: ['-r /mnt/backup/repo probe', 'try a mounted folder before trusting it'],
  options: {},
  positionals: [0, 0],
  async run({ output, signal, location, openPlace, cacheFolder }) {
    await using backend = await openPlace()
    const place = parseLocation(location())
    const network = place.kind === 'local' ? await networkFileSystem(place.path) : undefined
    const report = await probePlace(backend, { cacheFolder, signal })
    const { problems, leftBehind, unguarded, before } = report
    if (output.isJson) {
      output.json({ type: 'summary', location: report.location, suitable: problems.length === 0, unguarded: unguarded ?? null, problems, objects: report.objects, left_behind: leftBehind ?? null, network_file_system: network ?? null, tried_before: before?.time ?? null, duration_s: report.durationMs / 1000 })
    } else {
      if (network !== undefined) output.warn(`nacre: this is a network file system (${display(network)}); what other machines see of it is not tried from here`)
      if (leftBehind !== undefined) output.warn(`nacre: what was made to try it stays in probes/ (${display(leftBehind)}); it does no harm`)
      if (before !== undefined) output.info(`tried from here before${before.time === '' ? '' : `, ${before.time.slice(0, 19)}Z`}, and found good${before.unguarded === null ? '' : ', but for create-if-absent'}`)
      if (unguarded !== undefined) output.result(`create-if-absent: ${display(unguarded)}; prune will ask for --exclusive`)
      for (const { need, message } of problems) output.result(`${need}: ${display(message)}`)
      output.info(`raced with ${count(report.objects, 'object')} in ${duration(report.durationMs)}`)
      output.result(problems.length === 0 ? `${display(report.location)} does what nacre relies on${unguarded === undefined ? '' : ', but for create-if-absent'}` : `${display(report.location)} does NOT do what nacre relies on`)
    }
    return problems.length === 0 ? EXIT.done : EXIT.failed
  },
}
