/**
 * Requests of the SSH file transfer protocol, version 3 (draft-ietf-secsh-filexfer-02), and the
 * extensions of OpenSSH that nacre uses. Numbers are big-endian, a string is its length and its bytes.
 *
 *     offset  size  of every message
 *     0       4     length of what follows
 *     4       1     type
 *     5       4     id, which the answer repeats; in INIT the version instead
 *     9             fields by type
 *
 *     type            fields                                         answered by
 *     1 INIT                                                         VERSION
 *     3 OPEN          path, flags u32, attributes                    HANDLE
 *     4 CLOSE         handle                                         STATUS
 *     5 READ          handle, offset u64, length u32                 DATA, or STATUS with EOF
 *     6 WRITE         handle, offset u64, bytes                      STATUS
 *     7 LSTAT         path                                           ATTRS
 *     8 FSTAT         handle                                         ATTRS
 *     11 OPENDIR      path                                           HANDLE
 *     12 READDIR      handle                                         NAME, or STATUS with EOF
 *     13 REMOVE       path                                           STATUS
 *     14 MKDIR        path, attributes                               STATUS
 *     17 STAT         path                                           ATTRS
 *     18 RENAME       path, new path                                 STATUS
 *     200 EXTENDED    name, fields of the extension                  STATUS or EXTENDED_REPLY
 *
 * Attributes of a request are flags u32 and, with flag 4, the mode u32.
 */
import { concatBytes, dataView, utf8 } from '../../util/bytes.ts'

export const PROTOCOL_VERSION = 3

/** Flags of OPEN. */
export const OPEN_READ = 0x01
/** Write a file that must not be there yet. */
export const OPEN_NEW = 0x02 | 0x08 | 0x20

const PERMISSIONS = 0x04
const WRITE_HEAD_BYTES = 25

export type SftpRequest =
  | { readonly kind: 'open'; readonly path: string; readonly flags: number; readonly mode?: number }
  | { readonly kind: 'close' | 'fstat' | 'readdir' | 'fsync'; readonly handle: Uint8Array }
  | { readonly kind: 'read'; readonly handle: Uint8Array; readonly offset: number; readonly length: number }
  | { readonly kind: 'write'; readonly handle: Uint8Array; readonly offset: number; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'lstat' | 'stat' | 'opendir' | 'remove' | 'statvfs'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'rename' | 'hardlink'; readonly path: string; readonly newPath: string }
  | { readonly kind: 'limits' }

const TYPES: Readonly<Record<SftpRequest['kind'], number>> = {
  open: 3, close: 4, read: 5, write: 6, lstat: 7, fstat: 8, opendir: 11, readdir: 12, remove: 13, mkdir: 14, stat: 17, rename: 18,
  hardlink: 200, fsync: 200, statvfs: 200, limits: 200,
}

export function encodeInit(): Uint8Array {
  return framed(1, PROTOCOL_VERSION, [])
}

/** The whole message in memory of its own. */
export function encodeRequest(id: number, request: SftpRequest): Uint8Array {
  if (request.kind === 'write') return encodeWrite(id, request.handle, request.offset, request.pieces)
  return framed(TYPES[request.kind], id, fieldsOf(request))
}

function fieldsOf(request: Exclude<SftpRequest, { readonly kind: 'write' }>): Uint8Array[] {
  switch (request.kind) {
    case 'open':
      return [text(request.path), u32(request.flags), ...attributes(request.mode)]
    case 'mkdir':
      return [text(request.path), ...attributes(request.mode)]
    case 'read':
      return [bytes(request.handle), u64(request.offset), u32(request.length)]
    case 'close':
    case 'fstat':
    case 'readdir':
      return [bytes(request.handle)]
    case 'lstat':
    case 'stat':
    case 'opendir':
    case 'remove':
      return [text(request.path)]
    case 'rename':
      return [text(request.path), text(request.newPath)]
    case 'hardlink':
      return [text('hardlink@openssh.com'), text(request.path), text(request.newPath)]
    case 'fsync':
      return [text('fsync@openssh.com'), bytes(request.handle)]
    case 'statvfs':
      return [text('statvfs@openssh.com'), text(request.path)]
    case 'limits':
      return [text('limits@openssh.com')]
  }
}

/** The pieces are copied, so that who gave them may do with them what he likes at once. */
function encodeWrite(id: number, handle: Uint8Array, offset: number, pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const piece of pieces) length += piece.length
  const out = new Uint8Array(WRITE_HEAD_BYTES + handle.length + length)
  const view = dataView(out)
  view.setUint32(0, out.length - 4)
  out[4] = TYPES.write
  view.setUint32(5, id)
  view.setUint32(9, handle.length)
  out.set(handle, 13)
  let at = 13 + handle.length
  view.setBigUint64(at, BigInt(offset))
  view.setUint32(at + 8, length)
  at += 12
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.length
  }
  return out
}

function framed(type: number, id: number, fields: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(Uint8Array.of(type), u32(id), ...fields)
  return concatBytes(u32(body.length), body)
}

function attributes(mode: number | undefined): Uint8Array[] {
  return mode === undefined ? [u32(0)] : [u32(PERMISSIONS), u32(mode)]
}

function text(value: string): Uint8Array {
  return bytes(utf8(value))
}

function bytes(value: Uint8Array): Uint8Array {
  return concatBytes(u32(value.length), value)
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  dataView(out).setUint32(0, value)
  return out
}

function u64(value: number): Uint8Array {
  const out = new Uint8Array(8)
  dataView(out).setBigUint64(0, BigInt(value))
  return out
}
