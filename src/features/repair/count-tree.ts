/** How much lies in a tree, as far as anybody can count it: a hostile one may hold any number of paths. */
import type { TreeReader } from '../../snapshot/tree-reader.ts'
import { walkTree } from '../../snapshot/tree-walk.ts'

export interface TreeCount {
  /** All that is no folder. */
  readonly files: number
  readonly bytes: number
  /** The latest change of anything in it. */
  readonly newestNs: bigint | undefined
}

const ENTRIES_LIMIT = 20_000_000
const NS = 1_000_000_000n

/** undefined when it has more entries than can be counted. */
export async function countTree(trees: TreeReader, tree: Uint8Array, signal?: AbortSignal): Promise<TreeCount | undefined> {
  let [entries, files, bytes] = [0, 0, 0]
  let newestNs: bigint | undefined
  for await (const { node } of walkTree(trees, tree, { signal })) {
    if (++entries > ENTRIES_LIMIT) return undefined
    const changedNs = BigInt(node.ctimeS) * NS + BigInt(node.ctimeNs)
    if (newestNs === undefined || changedNs > newestNs) newestNs = changedNs
    if (node.type === 'directory') continue
    files++
    bytes += node.size
  }
  return { files, bytes, newestNs }
}
