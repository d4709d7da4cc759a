/** What becomes of something that stands where a node is to go. Pure: what stands there was looked at before. */
import type { FileStat } from '../../util/posix/stat.ts'
import type { Node } from '../node.ts'
import type { Overwrite } from './types.ts'

type Standing = Pick<FileStat, 'type' | 'size' | 'mtimeS' | 'mtimeNs'>

/**
 * `trust`: it counts as the same unread; `compare`: the same if its bytes are, and otherwise as
 * `decideOther` says; `newer`: left, because it is not older.
 */
export type Verdict = 'create' | 'trust' | 'compare' | 'replace' | 'newer' | 'keep'

export function decideFile(overwrite: Overwrite, node: Node, standing: Standing | undefined): Verdict {
  if (standing === undefined) return 'create'
  if (standing.type !== 'file') return decideOther(overwrite, node, standing)
  const hasSize = standing.size === node.size
  if (hasSize && overwrite !== 'always' && hasTime(node, standing)) return 'trust'
  if (overwrite === 'if-newer' && !isOlder(standing, node)) return 'newer'
  return hasSize ? 'compare' : decideOther(overwrite, node, standing)
}

/** Of what is known to differ. What replaces a folder must have emptied it: a name never yields with things below it. */
export function decideOther(overwrite: Overwrite, node: Node, standing: Standing): 'replace' | 'newer' | 'keep' {
  if (overwrite === 'never') return 'keep'
  if (overwrite === 'if-newer' && !isOlder(standing, node)) return 'newer'
  return 'replace'
}

function hasTime(node: Node, standing: Standing): boolean {
  return standing.mtimeS === node.mtimeS && standing.mtimeNs === node.mtimeNs
}

function isOlder(standing: Standing, node: Node): boolean {
  return standing.mtimeS < node.mtimeS || (standing.mtimeS === node.mtimeS && standing.mtimeNs < node.mtimeNs)
}
