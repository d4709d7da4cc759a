/** How much lies in a tree: each list is counted once, for a hostile tree may hold any number of paths. */
import { toHex } from '../../util/bytes.ts'
import { throwIfAborted } from '../../util/errors.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'

export interface TreeCount {
  /** All that is no folder. */
  readonly files: number
  readonly bytes: number
  /** The latest change of anything in it. */
  readonly newestNs: bigint | undefined
}

const NS = 1_000_000_000n

/** undefined when it has more than a number can count. */
export async function countTree(trees: TreeReader, tree: Uint8Array, signal?: AbortSignal): Promise<TreeCount | undefined> {
  const known = new Map<string, TreeCount>()

  const count = async (root: Uint8Array, depth: number): Promise<TreeCount> => {
    const key = toHex(root)
    const before = known.get(key)
    if (before !== undefined) return before
    throwIfAborted(signal)
    let [files, bytes, newestNs]: [number, number, bigint | undefined] = [0, 0, undefined]
    const notice = (timeNs: bigint | undefined): void => {
      if (timeNs !== undefined && (newestNs === undefined || timeNs > newestNs)) newestNs = timeNs
    }
    for await (const nodes of trees.nodes(root)) {
      for (const node of nodes) {
        notice(BigInt(node.ctimeS) * NS + BigInt(node.ctimeNs))
        if (node.type !== 'directory') {
          files++
          bytes += node.size
        } else if (node.subtree !== undefined && depth < DEPTH_LIMIT) {
          const below = await count(node.subtree, depth + 1)
          files += below.files
          bytes += below.bytes
          notice(below.newestNs)
        }
      }
    }
    const counted = { files, bytes, newestNs }
    known.set(key, counted)
    return counted
  }

  const counted = await count(tree, 0)
  return Number.isSafeInteger(counted.files) && Number.isSafeInteger(counted.bytes) ? counted : undefined
}
