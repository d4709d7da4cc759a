/**
 * zstd (RFC 8878) in one piece, into bounded output. zstd-napi's low-level contexts are kept and fed
 * with buffers of our own, since its friendly wrapper allocates and copies for every call; where it
 * did not build, Node's own zstd (22.15 and later) stands in.
 *
 * Contexts hold state: one of these a thread.
 */
import { createRequire } from 'node:module'
import { BackupError } from '../util/errors.ts'

export const ZSTD_LEVEL_MIN = -7
export const ZSTD_LEVEL_MAX = 19
export const ZSTD_LEVEL_DEFAULT = 3

export interface Compressor {
  /**
   * The compressed input, valid until the next call (it is a view of the compressor's scratch);
   * undefined when it would not fit `limitBytes`.
   */
  compress(input: Uint8Array, limitBytes: number): Uint8Array | undefined
}

export interface Decompressor {
  /**
   * Fills `out` with the plaintext, which must be exactly as long: its length is authenticated
   * beforehand and bounds what a bomb can do.
   * @throws {BackupError} CORRUPT - not zstd, or of another length
   */
  decompress(input: Uint8Array, out: Uint8Array): void
}

interface NativeZstd {
  CCtx: new () => { setParameter(parameter: number, value: number): void; compress2(into: Uint8Array, from: Uint8Array): number }
  DCtx: new () => { decompress(into: Uint8Array, from: Uint8Array): number }
  CParameter: { compressionLevel: number }
  compressBound(length: number): number
}

interface NodeZstd {
  zstdCompressSync(input: Uint8Array, options: { params: Record<number, number> }): Buffer
  zstdDecompressSync(input: Uint8Array, options: { maxOutputLength: number }): Buffer
  constants: { ZSTD_c_compressionLevel: number }
}

const require = createRequire(import.meta.url)
let loaded: { native: NativeZstd } | { node: NodeZstd } | undefined

function load(): { native: NativeZstd } | { node: NodeZstd } {
  if (loaded !== undefined) return loaded
  try {
    loaded = { native: require('zstd-napi/binding') as NativeZstd }
  } catch (cause) {
    const zlib = require('node:zlib') as Partial<NodeZstd>
    if (zlib.zstdCompressSync === undefined) {
      throw new Error('zstd is missing: zstd-napi was not built (it needs a C++ compiler, and npm must be allowed to run its install script), and this Node has no zstd of its own (22.15 has)', { cause })
    }
    loaded = { node: zlib as NodeZstd }
  }
  return loaded
}

/** @param level - from -7 (fastest) to 19 (smallest) */
export function createCompressor(level: number): Compressor {
  if (!Number.isInteger(level) || level < ZSTD_LEVEL_MIN || level > ZSTD_LEVEL_MAX) throw new RangeError('zstd levels run from -7 to 19')
  const zstd = load()
  if ('node' in zstd) return nodeCompressor(zstd.node, level)
  const context = new zstd.native.CCtx()
  context.setParameter(zstd.native.CParameter.compressionLevel, level)
  let scratch = new Uint8Array(0)
  return {
    compress(input, limitBytes) {
      const bound = zstd.native.compressBound(input.length)
      if (scratch.length < bound) scratch = new Uint8Array(bound)
      const length = context.compress2(scratch, input)
      return length <= limitBytes ? scratch.subarray(0, length) : undefined
    },
  }
}

function nodeCompressor(zlib: NodeZstd, level: number): Compressor {
  return {
    compress(input, limitBytes) {
      const out = zlib.zstdCompressSync(input, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } })
      return out.length <= limitBytes ? out : undefined
    },
  }
}

export function createDecompressor(): Decompressor {
  const zstd = load()
  const context = 'native' in zstd ? new zstd.native.DCtx() : undefined
  return {
    decompress(input, out) {
      let length: number
      try {
        length = context !== undefined ? context.decompress(out, input) : decompressByNode((zstd as { node: NodeZstd }).node, input, out)
      } catch (cause) {
        throw new BackupError('CORRUPT', 'the bytes do not decompress to the length they state', { cause })
      }
      if (length !== out.length) throw new BackupError('CORRUPT', `decompressed to ${length} bytes instead of ${out.length}`)
    },
  }
}

function decompressByNode(zlib: NodeZstd, input: Uint8Array, out: Uint8Array): number {
  const plaintext = zlib.zstdDecompressSync(input, { maxOutputLength: Math.max(1, out.length) })
  out.set(plaintext)
  return plaintext.length
}
