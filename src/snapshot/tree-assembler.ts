/**
 * Makes trees of the entries that a scan gives, in the scan's order. A folder in which nothing has
 * changed keeps the parent's list without being encoded again; only when something differs are the
 * parent's first nodes, as many as were the same so far, put into a list of its own.
 */
import type { KeyedHash } from '../crypto/hash.ts'
import { createListBuilder, type ListBuilder } from './list-builder.ts'
import type { Node } from './node.ts'
import { directoryShape } from './tree-blob.ts'
import type { TreeReader } from './tree-reader.ts'

export interface TreeAssembler {
  enter(node: Node, parent: Node | undefined): void
  /** So many of the parent's nodes follow; all before them in this folder were the parent's. */
  alike(count: number): void
  add(node: Node): void | Promise<void>
  /** Ends the innermost folder. */
  leave(isIdentical: boolean, isSame: boolean, isAligned: boolean): void | Promise<void>
  /** The outermost folder's list, once it has been left. */
  readonly root: Uint8Array | undefined
}

interface Open {
  readonly node: Node
  readonly parent: Node | undefined
  /** Nodes at the front that are the parent's, one by one. */
  sameCount: number
  builder: ListBuilder<Node> | undefined
}

export function createTreeAssembler(trees: TreeReader, hash: KeyedHash, save: (blob: Uint8Array) => Uint8Array): TreeAssembler {
  const shape = directoryShape(hash)
  const stack: Open[] = []
  let root: Uint8Array | undefined

  const materialize = async (folder: Open): Promise<ListBuilder<Node>> => {
    const builder = (folder.builder = createListBuilder(shape, save))
    let left = folder.sameCount
    if (left > 0) {
      for await (const nodes of trees.nodes(folder.parent!.subtree!)) {
        for (const node of nodes) if (left-- > 0) builder.add(node)
        if (left <= 0) break
      }
    }
    return builder
  }

  const add = (node: Node): void | Promise<void> => {
    const folder = stack.at(-1)!
    if (folder.builder !== undefined) return folder.builder.add(node)
    if (folder.sameCount === 0) {
      folder.builder = createListBuilder(shape, save)
      return folder.builder.add(node)
    }
    return materialize(folder).then((builder) => builder.add(node))
  }

  const alike = (count: number): void => void (stack.at(-1)!.sameCount += count)

  const leaveWith = (folder: Open, subtree: Uint8Array, isSame: boolean, isAligned: boolean): void | Promise<void> => {
    if (stack.length === 0) {
      root = subtree
      return
    }
    if (isAligned) return alike(1)
    return add(isSame ? folder.parent! : { ...folder.node, subtree })
  }

  return {
    get root() {
      return root
    },
    enter: (node, parent) => void stack.push({ node, parent, sameCount: 0, builder: undefined }),
    alike,
    add,
    leave(isIdentical, isSame, isAligned) {
      const folder = stack.pop()!
      if (isIdentical && folder.builder === undefined && folder.parent?.subtree !== undefined) {
        return leaveWith(folder, folder.parent.subtree, isSame, isAligned)
      }
      if (folder.builder !== undefined || folder.sameCount === 0) {
        const builder = folder.builder ?? createListBuilder(shape, save)
        return leaveWith(folder, builder.finish(), isSame, isAligned)
      }
      return materialize(folder).then((builder) => leaveWith(folder, builder.finish(), isSame, isAligned))
    },
  }
}
