/**
 * FastCDC (Xia et al., USENIX ATC 2016) by the fastcdc-wasm package, through its raw exports: data
 * is read straight into wasm memory and cut in place, where the package's own wrapper would copy
 * it in and out again (1.3 against 2.4 GB/s).
 *
 * A cut depends on nothing but the bytes from the chunk's own start, as long as a whole maximum
 * chunk lies ahead or the file's end does. Cuts that had neither are not given, so that any split
 * of the input yields the same chunks.
 */
import { createRequire } from 'node:module'
import type { ChunkerParams } from './params.ts'

interface WasmExports {
  memory: { readonly buffer: ArrayBuffer }
  get_chunks(result: number, pointer: number, length: number, min: number, average: number, max: number): void
  __wbindgen_add_to_stack_pointer(delta: number): number
  __wbindgen_malloc(length: number): number
  __wbindgen_free(pointer: number, length: number): void
}

/** Bytes that can be cut: part of the chunker's memory. */
export interface ChunkBuffer {
  /** The memory to read data into; take it anew after every cut, which may move it. */
  bytes(): Uint8Array
  /**
   * Ends of the chunks in [from, to), ascending.
   * @param isEnd - whether the data ends at `to`: then the last end is `to`; otherwise what follows
   * the last end is to be given again, with more behind it
   */
  cut(from: number, to: number, isEnd: boolean): number[]
  /** Gives the memory back; the buffer must not be used afterwards. */
  free(): void
}

export interface Chunker {
  readonly params: ChunkerParams
  allocate(capacityBytes: number): ChunkBuffer
}

let wasm: WasmExports | undefined

function loadWasm(): WasmExports {
  wasm ??= (createRequire(import.meta.url)('fastcdc-wasm') as { __wasm: WasmExports }).__wasm
  return wasm
}

/** The memory of its buffers is one for the thread, and never shrinks: who is done with one frees it. */
export function createChunker(params: ChunkerParams): Chunker {
  const exports = loadWasm()
  return {
    params,
    allocate(capacityBytes) {
      const pointer = exports.__wbindgen_malloc(capacityBytes)
      let view = new Uint8Array(exports.memory.buffer, pointer, capacityBytes)
      return {
        bytes() {
          if (view.buffer !== exports.memory.buffer) view = new Uint8Array(exports.memory.buffer, pointer, capacityBytes)
          return view
        },
        cut: (from, to, isEnd) => cut(exports, params, pointer + from, to - from, isEnd).map((end) => from + end),
        free: () => exports.__wbindgen_free(pointer, capacityBytes),
      }
    },
  }
}

function cut(exports: WasmExports, params: ChunkerParams, pointer: number, length: number, isEnd: boolean): number[] {
  const { minBytes, averageBytes, maxBytes } = params
  if (length === 0) return []
  if (isEnd && length <= minBytes) return [length]
  if (!isEnd && length < maxBytes) return []
  const result = exports.__wbindgen_add_to_stack_pointer(-16)
  exports.get_chunks(result, pointer, length, minBytes, averageBytes, maxBytes)
  // A pointer and a length: the list of borders, from 0 to the length of the data.
  const [at = 0, count = 0] = new Uint32Array(exports.memory.buffer, result, 2)
  const borders = new Uint32Array(exports.memory.buffer, at, count)
  const ends: number[] = []
  for (let i = 1; i < count; i++) {
    if (!isEnd && borders[i - 1]! + maxBytes > length) break
    ends.push(borders[i]!)
  }
  exports.__wbindgen_free(at, count * 4)
  exports.__wbindgen_add_to_stack_pointer(16)
  return ends
}
