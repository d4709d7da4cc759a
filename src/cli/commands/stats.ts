import { repositoryStats, type RepositoryStats } from '../../index.ts'
import type { Command } from '../command.ts'
import { FILTERS, hasFilter, openChooser } from '../filters.ts'
import { count, ratio, size } from '../format.ts'

export const command: Command = {
  usage: 'stats [SNAPSHOT…]',
  summary: 'Tells how much the snapshots hold, how much of it is unique, and what it takes in the repository.',
  example: ['-r /backup/repo stats latest', 'what the newest snapshot takes'],
  options: { ...FILTERS },
  positionals: [0, Number.POSITIVE_INFINITY],
  async run(context) {
    const { args, output } = context
    const { repository, snapshots, choose } = await openChooser(context)
    const isChosen = args.positionals.length > 0 || hasFilter(args)
    const wanted = args.positionals.length > 0 ? args.positionals.map(choose) : snapshots
    const stats = await repositoryStats(repository, wanted, isChosen)
    if (output.isJson) {
      output.json({
        snapshots: stats.snapshots, files: stats.files, folders: stats.folders,
        logical_bytes: stats.logicalBytes, unique_bytes: stats.uniqueBytes, compressed_bytes: stats.compressedBytes, stored_bytes: stats.storedBytes,
        data_blobs: stats.dataBlobs, tree_blobs: stats.treeBlobs, packs: stats.packs,
        dedup_ratio: quotient(stats.logicalBytes, stats.uniqueBytes), compression_ratio: quotient(stats.uniqueBytes, stats.compressedBytes), total_ratio: quotient(stats.logicalBytes, stats.storedBytes),
      })
      return 0
    }
    output.result(`${count(stats.snapshots, 'snapshot')} with ${count(stats.files, 'file')} in ${count(stats.folders, 'folder')}`)
    output.result(`logical     ${size(stats.logicalBytes)}`)
    output.result(`unique      ${size(stats.uniqueBytes)}   deduplicated ${ratio(stats.logicalBytes, stats.uniqueBytes)}`)
    output.result(`compressed  ${size(stats.compressedBytes)}   ${compression(stats)}`)
    output.result(`stored      ${size(stats.storedBytes)}   in all ${ratio(stats.logicalBytes, stats.storedBytes)}`)
    output.result(`${count(stats.dataBlobs, 'data blob')}, ${count(stats.treeBlobs, 'tree blob')}, ${count(stats.packs, 'pack')}`)
    return 0
  },
}

/** Each frame is sealed, which adds a few bytes: of little data, or of noise, more than compression takes away. */
function compression({ uniqueBytes, compressedBytes }: RepositoryStats): string {
  if (compressedBytes <= uniqueBytes) return `compressed ${ratio(uniqueBytes, compressedBytes)}`
  return `not smaller: encryption adds ${size(compressedBytes - uniqueBytes)}`
}

function quotient(a: number, b: number): number | null {
  return b === 0 ? null : a / b
}
