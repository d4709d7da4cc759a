/**
 * The role of a backup's workers: read, cut, hash; then, for what turned out to be new, gather,
 * compress, seal and verify. Bytes are read straight into the chunker's memory and are copied once,
 * into the frame.
 */
import { createChunker, type ChunkBuffer, type Chunker } from '../../chunker/fastcdc.ts'
import { keyedHash } from '../../crypto/hash.ts'
import { createCompressor, createDecompressor } from '../../codec/zstd.ts'
import { dataView } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { BLOB_TREE_LIMIT, type BlobType, ID_BYTES } from '../format.ts'
import { BLOB_RECORD_BYTES } from '../pack-entry.ts'
import { createFrameBuilder, type FrameBuilder } from './frame-builder.ts'
import { readFileAt, readWholeFile, type SourceRead } from './source-file.ts'
import { type FileProblem, type PackedFiles, STAT_FIELDS, type StoreInit, type StoreReply, type StoreRequest } from './store-messages.ts'
import type { Post, Role } from './role.ts'

interface Slot {
  readonly buffer: ChunkBuffer
  /** Blob records of the chunks in the slot and where each begins, until they are stored. */
  records: Uint8Array
  starts: number[]
}

export function createRole(init: StoreInit, post: Post<StoreReply>): Role<StoreRequest> {
  const chunker: Chunker = createChunker(init.chunker)
  const hashData = keyedHash(init.blobIdKeys.data)
  const slots = Array.from({ length: init.slots }, (): Slot => ({ buffer: chunker.allocate(init.slotBytes), records: new Uint8Array(0), starts: [] }))
  const builders = frameBuilders(init, post)

  /** Cuts and hashes [from, to) of the slot, appending to its tables. */
  const cutAndHash = (slot: Slot, gathered: Gathered, from: number, ends: readonly number[]): void => {
    const bytes = slot.buffer.bytes()
    let start = from
    for (const end of ends) {
      gathered.add(hashData(bytes.subarray(start, end)), end - start)
      slot.starts.push(start)
      start = end
    }
  }

  const readFiles = (job: number, slotNumber: number, files: PackedFiles): void => {
    const slot = emptied(slots[slotNumber]!)
    const gathered = new Gathered(files.sizes.length)
    let at = 0
    for (let file = 0; file < files.sizes.length; file++) {
      const name = files.names.subarray(file === 0 ? 0 : files.nameEnds[file - 1]!, files.nameEnds[file])
      const read = gathered.attempt(file, () => readWholeFile(files.folders[file]!, name, slot.buffer.bytes().subarray(at), files.sizes[file]!))
      if (read === undefined) continue
      gathered.stat(file, read)
      const before = slot.starts.length
      cutAndHash(slot, gathered, at, slot.buffer.cut(at, at + read.length, true))
      gathered.counts[file] = slot.starts.length - before
      at += read.length
    }
    gathered.reply(post, job, slotNumber, slot)
  }

  const readSegment = (job: number, slotNumber: number, fd: number, offset: number, end: number): void => {
    const slot = emptied(slots[slotNumber]!)
    const gathered = new Gathered(1)
    const read = gathered.attempt(0, () => readFileAt(fd, slot.buffer.bytes().subarray(0, end - offset), offset))
    if (read === undefined) {
      post({ kind: 'boundary', job, consumed: 0, isEnd: true })
    } else {
      const isEnd = read.length < slot.buffer.bytes().length
      const ends = slot.buffer.cut(0, read.length, isEnd)
      // The next segment can begin elsewhere while this one is hashed and compressed here.
      post({ kind: 'boundary', job, consumed: ends.at(-1) ?? 0, isEnd })
      gathered.stat(0, read)
      cutAndHash(slot, gathered, 0, ends)
      gathered.counts[0] = ends.length
    }
    gathered.reply(post, job, slotNumber, slot)
  }

  const store = (slotNumber: number, isNew: Uint8Array): void => {
    const slot = slots[slotNumber]!
    const bytes = slot.buffer.bytes()
    const view = dataView(slot.records)
    for (let i = 0; i < isNew.length; i++) {
      if (isNew[i] === 0) continue
      const record = slot.records.subarray(i * BLOB_RECORD_BYTES, (i + 1) * BLOB_RECORD_BYTES)
      const start = slot.starts[i]!
      builders.data.add(bytes.subarray(start, start + view.getUint32(i * BLOB_RECORD_BYTES + ID_BYTES, true)), record)
    }
  }

  const storeBlobs = (blobType: BlobType, bytes: Uint8Array, records: Uint8Array): void => {
    const view = dataView(records)
    let start = 0
    for (let at = 0; at < records.length; at += BLOB_RECORD_BYTES) {
      const end = start + view.getUint32(at + ID_BYTES, true)
      builders[blobType].add(bytes.subarray(start, end), records.subarray(at, at + BLOB_RECORD_BYTES))
      start = end
    }
  }

  const handle = (request: StoreRequest): void => {
    switch (request.kind) {
      case 'files':
        return readFiles(request.job, request.slot, request.files)
      case 'segment':
        return readSegment(request.job, request.slot, request.fd, request.offset, request.end)
      case 'store':
        store(request.slot, request.isNew)
        return post({ kind: 'stored', job: request.job, slot: request.slot })
      case 'blobs':
        storeBlobs(request.blobType, request.bytes, request.records)
        return request.job < 0 ? undefined : post({ kind: 'sealed', job: request.job })
      case 'flush':
        builders.data.flush()
        builders.tree.flush()
        return post({ kind: 'flushed', job: request.job })
    }
  }
  return Object.assign(handle, { close: () => slots.forEach((slot) => slot.buffer.free()) })
}

function frameBuilders(init: StoreInit, post: Post<StoreReply>): Record<BlobType, FrameBuilder> {
  const shared = {
    repositoryId: init.repositoryId,
    dataKey: init.dataKey,
    frameBytes: init.frameBytes,
    compressor: init.level === undefined ? undefined : createCompressor(init.level),
    decompressor: createDecompressor(),
    verifyFraction: init.verifyFraction,
    onFrame: ({ bytes, ...shape }: Parameters<Parameters<typeof createFrameBuilder>[0]['onFrame']>[0], records: Uint8Array<ArrayBuffer>) =>
      post({ kind: 'frame', shape, bytes, records }, [bytes.buffer, records.buffer]),
  }
  return {
    data: createFrameBuilder({ ...shared, blobType: 'data', blobBytesMax: init.chunker.maxBytes, hash: keyedHash(init.blobIdKeys.data) }),
    tree: createFrameBuilder({ ...shared, blobType: 'tree', blobBytesMax: BLOB_TREE_LIMIT, hash: keyedHash(init.blobIdKeys.tree) }),
  }
}

function emptied(slot: Slot): Slot {
  slot.starts = []
  slot.records = new Uint8Array(0)
  return slot
}

/** The tables of one reply, filled as files are read. */
class Gathered {
  readonly counts: Uint32Array<ArrayBuffer>
  readonly #stats: Float64Array<ArrayBuffer>
  readonly #problems: FileProblem[] = []
  #records = new Uint8Array(64 * BLOB_RECORD_BYTES)
  #recordBytes = 0

  constructor(files: number) {
    this.counts = new Uint32Array(files)
    this.#stats = new Float64Array(files * STAT_FIELDS)
  }

  /** Problems of one file are data; anything that is no system error ends the backup. */
  attempt(file: number, read: () => SourceRead): SourceRead | undefined {
    try {
      return read()
    } catch (error) {
      const code = error instanceof Error && 'code' in error && !isBackupError(error) ? error.code : undefined
      if (typeof code !== 'string') throw error
      this.#problems.push({ file, code, message: (error as Error).message })
      return undefined
    }
  }

  stat(file: number, read: SourceRead): void {
    const { size, mtimeS, mtimeNs, ctimeS, ctimeNs, inode } = read.stat
    this.#stats.set([size, mtimeS, mtimeNs, ctimeS, ctimeNs, Number(inode)], file * STAT_FIELDS)
  }

  add(id: Uint8Array, length: number): void {
    if (this.#recordBytes + BLOB_RECORD_BYTES > this.#records.length) {
      const larger = new Uint8Array(this.#records.length * 2)
      larger.set(this.#records)
      this.#records = larger
    }
    this.#records.set(id, this.#recordBytes)
    dataView(this.#records).setUint32(this.#recordBytes + ID_BYTES, length, true)
    this.#recordBytes += BLOB_RECORD_BYTES
  }

  /** The slot keeps its own copy of the records: the reply's are handed over. */
  reply(post: Post<StoreReply>, job: number, slotNumber: number, slot: Slot): void {
    const records = this.#records.slice(0, this.#recordBytes)
    slot.records = records.slice()
    const reply = { kind: 'read', job, slot: slotNumber, counts: this.counts, records, stats: this.#stats, problems: this.#problems } as const
    post(reply, [this.counts.buffer, records.buffer, this.#stats.buffer])
  }
}
