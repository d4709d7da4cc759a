/**
 * Passing over the nodes of a list as it is encoded: of each only what tells whether a file is still
 * the same is read, into fields that the next node overwrites, and nothing is made. A backup in which
 * little has changed looks at every node of the parent and needs none of them.
 */
import { type CborScanner, MAJOR } from '../codec/cbor-scan.ts'
import { asBytes, decodeCbor } from '../codec/cbor.ts'
import { dataView } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { type Content, contentFromCbor } from './content.ts'
import { type FileTraits, KEY, type Node, nodeFromCbor, nodeTypeOf } from './node.ts'

/** The node that the scanner stands on; all of it is another's after `next`. */
export interface ParentNode extends FileTraits {
  /** All that the node says. @throws {BackupError} CORRUPT */
  decode(): Node
}

const ID_BYTES = 32

export class NodeScanner implements ParentNode {
  type: Node['type'] = 'file'
  size = 0
  mtimeS = 0
  mtimeNs = 0
  ctimeS = 0
  ctimeNs = 0
  inode: number | bigint = 0
  /** What of it is blobs, as views; not what they hold is looked at, but how long they are. */
  content: Content | undefined
  subtree: Uint8Array | undefined
  readonly #scanner: CborScanner
  readonly #bytes: Buffer
  #left: number
  #start = 0
  #nameStart = 0
  #nameEnd = 0

  /** @param scanner - behind the head of a list of so many nodes */
  constructor(scanner: CborScanner, count: number) {
    this.#scanner = scanner
    this.#bytes = Buffer.from(scanner.bytes.buffer, scanner.bytes.byteOffset, scanner.bytes.length)
    this.#left = count
  }

  /** Whether there is one more node; then the scanner stands on it. @throws {BackupError} CORRUPT */
  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    const scanner = this.#scanner
    this.#start = scanner.at
    this.size = 0
    this.content = undefined
    this.subtree = undefined
    this.#nameEnd = this.#nameStart
    let before = 0
    for (let fields = this.#head(MAJOR.map); fields > 0; fields--) {
      const key = this.#head(MAJOR.unsigned)
      // As a decoder demands: no key twice, or one node could be read in two ways.
      if (key <= before) throw wrong()
      before = key
      this.#field(key)
    }
    return true
  }

  /** How the node's name sorts against another: below zero, zero or above. */
  compareName(name: Uint8Array): number {
    const bytes = this.#bytes
    const start = this.#nameStart
    const length = Math.min(this.#nameEnd - start, name.length)
    for (let i = 0; i < length; i++) {
      const difference = bytes[start + i]! - name[i]!
      if (difference !== 0) return difference
    }
    return this.#nameEnd - start - name.length
  }

  decode(): Node {
    return nodeFromCbor(decodeCbor(this.#bytes.subarray(this.#start, this.#scanner.at)))
  }

  #field(key: number): void {
    const scanner = this.#scanner
    switch (key) {
      case KEY.name:
        scanner.byteString()
        this.#nameEnd = scanner.at
        this.#nameStart = scanner.at - scanner.value
        return
      case KEY.type:
        this.type = nodeTypeOf(this.#integer())
        return
      case KEY.size:
        this.size = this.#integer()
        return
      case KEY.mtimeS:
        this.mtimeS = this.#integer()
        return
      case KEY.mtimeNs:
        this.mtimeNs = this.#integer()
        return
      case KEY.ctimeS:
        this.ctimeS = this.#integer()
        return
      case KEY.ctimeNs:
        this.ctimeNs = this.#integer()
        return
      case KEY.inode:
        this.inode = this.#integer()
        if (this.inode > Number.MAX_SAFE_INTEGER) this.inode = dataView(this.#bytes).getBigUint64(scanner.at - 8)
        return
      case KEY.content:
        this.content = contentFromCbor(this.#byteString(), 'content')
        return
      case KEY.subtree:
        this.subtree = asBytes(this.#byteString(), 'subtree', ID_BYTES)
        return
      default:
        scanner.skip()
    }
  }

  #head(major: number): number {
    this.#scanner.head()
    if (this.#scanner.major !== major) throw wrong()
    return this.#scanner.value
  }

  #byteString(): Uint8Array {
    this.#scanner.byteString()
    return this.#bytes.subarray(this.#scanner.at - this.#scanner.value, this.#scanner.at)
  }

  #integer(): number {
    const scanner = this.#scanner
    scanner.head()
    if (scanner.major === MAJOR.unsigned) return scanner.value
    if (scanner.major === MAJOR.negative) return -1 - scanner.value
    throw wrong()
  }
}

function wrong(): BackupError {
  return new BackupError('CORRUPT', 'a tree blob holds something that is no node')
}
