/** What already stands where a file is to go, and whether a file on disk is what a node says. */
import { readSync } from 'node:fs'
import { keyedHash } from '../../crypto/hash.ts'
import { equalBytes, isZero } from '../../util/bytes.ts'
import { close, openAtIfPresent, OPEN_TO_READ } from '../../util/posix/open.ts'
import { seekData } from '../../util/posix/seek-data.ts'
import { fstat, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import { createPlacement, type Extent, holesOf } from '../extents.ts'
import type { Node } from '../node.ts'
import type { TreeReader } from '../tree-reader.ts'

export interface TargetLook {
  /** `same`: a file with exactly these bytes; `other`: anything else. */
  compare(dirFd: number, node: Node): Promise<'absent' | 'same' | 'other'>
  isContentOf(dirFd: number, node: Node): Promise<boolean>
}

export function createTargetLook(repository: Repository, trees: TreeReader, group: number): TargetLook {
  const hash = keyedHash(repository.keyring.blobId(group, 'data'))
  const buffer = new Uint8Array(repository.config.chunker.maxBytes)

  const hasContent = async (fd: number, node: Node): Promise<boolean> => {
    if (node.content === undefined) return node.size === 0
    const placement = createPlacement(node.size, node.extents)
    for await (const blobs of trees.content(node.content)) {
      for (const blob of blobs) {
        const position = placement.place(blob.length)
        if (position === undefined || blob.length > buffer.length || !readFully(fd, buffer, blob.length, position)) return false
        if (!equalBytes(hash(buffer.subarray(0, blob.length)), blob.id)) return false
      }
    }
    return placement.isComplete() && holesOf(node.size, node.extents ?? [{ offset: 0, length: node.size }]).every((hole) => isHole(fd, hole))
  }

  /** Whether the file reads as zeros there: what is no data is not read. */
  const isHole = (fd: number, hole: Extent): boolean => {
    const end = hole.offset + hole.length
    for (let at = seekData(fd, hole.offset) ?? end; at < end; ) {
      const length = Math.min(end - at, buffer.length)
      if (!readFully(fd, buffer, length, at) || !isZero(buffer.subarray(0, length))) return false
      at = seekData(fd, at + length) ?? end
    }
    return true
  }

  const isContentOf = async (dirFd: number, node: Node): Promise<boolean> => {
    const fd = openAtIfPresent(dirFd, node.name, OPEN_TO_READ)
    if (fd === undefined) return false
    try {
      const stat = fstat(fd)
      return stat.type === 'file' && stat.size === node.size && (await hasContent(fd, node))
    } finally {
      close(fd)
    }
  }

  return {
    isContentOf,
    async compare(dirFd, node) {
      const stat = statAtIfPresent(dirFd, node.name)
      if (stat === undefined) return 'absent'
      if (stat.type !== 'file' || stat.size !== node.size) return 'other'
      try {
        return (await isContentOf(dirFd, node)) ? 'same' : 'other'
      } catch (error) {
        if (!(error instanceof PosixError)) throw error
        return 'other'
      }
    },
  }
}

function readFully(fd: number, into: Uint8Array, length: number, position: number): boolean {
  let at = 0
  while (at < length) {
    const count = readSync(fd, into, at, length - at, position + at)
    if (count === 0) return false
    at += count
  }
  return true
}
