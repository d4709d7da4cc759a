/**
 * What the kernel asks, from bytes to values. Every request begins with
 *
 *   0  length u32 (all of it)
 *   4  opcode u32
 *   8  unique u64: a reply names it
 *  16  node u64
 *  24  uid u32 ‖ 28 gid u32 ‖ 32 pid u32 ‖ 36 length of extensions u16 ‖ 38 zero u16
 *
 * and what follows is said beside each below, as offsets behind these 40 bytes. Lengths are checked
 * before anything is read by them; numbers are little-endian, as those of x64 and arm64 are.
 */
import { dataView } from '../util/bytes.ts'
import { OPCODE, WRITING } from './opcodes.ts'

export const REQUEST_HEADER_BYTES = 40

export type Request = {
  readonly unique: bigint
  readonly node: number
} & (
  | { readonly kind: 'init'; readonly major: number; readonly minor: number; readonly maxReadahead: number; readonly features: number }
  | { readonly kind: 'lookup'; readonly name: Uint8Array }
  | { readonly kind: 'forget'; readonly forgotten: readonly Forgotten[] }
  | { readonly kind: 'getattr' | 'readlink' | 'statfs' | 'open' | 'opendir' | 'release' | 'releasedir' | 'destroy' }
  | { readonly kind: 'read'; readonly offset: number; readonly size: number }
  | { readonly kind: 'readdir' | 'readdirplus'; readonly cookie: bigint; readonly size: number }
  | { readonly kind: 'getxattr'; readonly name: Uint8Array; readonly size: number }
  | { readonly kind: 'listxattr'; readonly size: number }
  | { readonly kind: 'lseek'; readonly offset: number; readonly wants: 'data' | 'hole' | undefined }
  | { readonly kind: 'interrupt'; readonly interrupted: bigint }
  | { readonly kind: 'writing' }
  /** Not known, or answered best by saying so: flush, access, ioctl, locks, statx… */
  | { readonly kind: 'other'; readonly opcode: number }
  /** Of lengths that no request of its opcode has. */
  | { readonly kind: 'broken'; readonly opcode: number }
)

export interface Forgotten {
  readonly node: number
  readonly lookups: number
}

const SEEK_DATA = 3
const SEEK_HOLE = 4
const FORGOTTEN_BYTES = 16

/**
 * undefined when not even the header is there: nobody can be answered.
 * @param bytes - may be used for the next request as soon as this returns
 */
export function decodeRequest(bytes: Uint8Array): Request | undefined {
  if (bytes.length < REQUEST_HEADER_BYTES) return undefined
  const view = dataView(bytes)
  const opcode = view.getUint32(4, true)
  const head = { unique: view.getBigUint64(8, true), node: number64(view, 16) }
  const broken: Request = { ...head, kind: 'broken', opcode }
  if (view.getUint32(0, true) !== bytes.length) return broken
  const body = bytes.subarray(REQUEST_HEADER_BYTES)
  return decodeBody(head, opcode, body) ?? broken
}

/** undefined when it is too short. */
function decodeBody(head: { unique: bigint; node: number }, opcode: number, body: Uint8Array): Request | undefined {
  const view = dataView(body)
  const has = (lengthBytes: number): boolean => body.length >= lengthBytes
  switch (opcode) {
    // 0 major u32 ‖ 4 minor u32 ‖ 8 max readahead u32 ‖ 12 features u32, and since 7.36 more
    case OPCODE.init:
      return has(16) ? { ...head, kind: 'init', major: view.getUint32(0, true), minor: view.getUint32(4, true), maxReadahead: view.getUint32(8, true), features: view.getUint32(12, true) } : undefined
    // a name and a NUL
    case OPCODE.lookup:
      return withName(body, 0, (name) => ({ ...head, kind: 'lookup', name }))
    // 0 lookups u64
    case OPCODE.forget:
      return has(8) ? { ...head, kind: 'forget', forgotten: [{ node: head.node, lookups: number64(view, 0) }] } : undefined
    // 0 count u32 ‖ 4 zero u32, then node u64 ‖ lookups u64 each
    case OPCODE.batchForget:
      return has(8) && has(8 + view.getUint32(0, true) * FORGOTTEN_BYTES) ? { ...head, kind: 'forget', forgotten: forgottenOf(view) } : undefined
    case OPCODE.getattr:
      return { ...head, kind: 'getattr' }
    case OPCODE.readlink:
      return { ...head, kind: 'readlink' }
    case OPCODE.statfs:
      return { ...head, kind: 'statfs' }
    case OPCODE.open:
      return { ...head, kind: 'open' }
    case OPCODE.opendir:
      return { ...head, kind: 'opendir' }
    case OPCODE.release:
      return { ...head, kind: 'release' }
    case OPCODE.releasedir:
      return { ...head, kind: 'releasedir' }
    case OPCODE.destroy:
      return { ...head, kind: 'destroy' }
    // 0 handle u64 ‖ 8 offset u64 ‖ 16 size u32 ‖ 20 flags u32 ‖ 24 lock owner u64 ‖ 32 open flags u32 ‖ 36 zero u32
    case OPCODE.read:
      return has(40) ? { ...head, kind: 'read', offset: number64(view, 8), size: view.getUint32(16, true) } : undefined
    case OPCODE.readdir:
      return has(40) ? { ...head, kind: 'readdir', cookie: view.getBigUint64(8, true), size: view.getUint32(16, true) } : undefined
    case OPCODE.readdirplus:
      return has(40) ? { ...head, kind: 'readdirplus', cookie: view.getBigUint64(8, true), size: view.getUint32(16, true) } : undefined
    // 0 size u32 ‖ 4 zero u32, then a name and a NUL
    case OPCODE.getxattr:
      return has(8) ? withName(body, 8, (name) => ({ ...head, kind: 'getxattr', name, size: view.getUint32(0, true) })) : undefined
    case OPCODE.listxattr:
      return has(8) ? { ...head, kind: 'listxattr', size: view.getUint32(0, true) } : undefined
    // 0 handle u64 ‖ 8 offset u64 ‖ 16 whence u32 ‖ 20 zero u32
    case OPCODE.lseek: {
      if (!has(24)) return undefined
      const whence = view.getUint32(16, true)
      return { ...head, kind: 'lseek', offset: number64(view, 8), wants: whence === SEEK_DATA ? 'data' : whence === SEEK_HOLE ? 'hole' : undefined }
    }
    // 0 unique u64
    case OPCODE.interrupt:
      return has(8) ? { ...head, kind: 'interrupt', interrupted: view.getBigUint64(0, true) } : undefined
    default:
      return WRITING.has(opcode) ? { ...head, kind: 'writing' } : { ...head, kind: 'other', opcode }
  }
}

function forgottenOf(view: DataView): Forgotten[] {
  return Array.from({ length: view.getUint32(0, true) }, (_, i) => {
    const at = 8 + i * FORGOTTEN_BYTES
    return { node: number64(view, at), lookups: number64(view, at + 8) }
  })
}

/** A name that ends with a NUL, and is not empty; a copy. */
function withName(body: Uint8Array, at: number, make: (name: Uint8Array) => Request): Request | undefined {
  const end = body.indexOf(0, at)
  return end > at ? make(body.slice(at, end)) : undefined
}

/** Beyond 2^53 the number is not exact; no node and no file that is served here has one. */
function number64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
}
