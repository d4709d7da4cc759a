/** The protocol by its bytes: what is sent is pinned, what comes back is taken for hostile. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messageSplitter } from '../../../src/backend/sftp/framing.ts'
import { decodeReply, decodeVersion, SftpProtocolError } from '../../../src/backend/sftp/replies.ts'
import { encodeInit, encodeRequest, OPEN_NEW, type SftpRequest } from '../../../src/backend/sftp/wire.ts'
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/util/bytes.ts'

const HANDLE = Uint8Array.of(0xaa, 0xbb)
const PATH = '000000022f78' // "/x"

function message(hex: string): Uint8Array {
  return fromHex(hex.replaceAll(' ', ''))
}

describe('requests', () => {
  test('begin with INIT, version 3', () => {
    expect(toHex(encodeInit())).toBe('000000050100000003')
  })

  test.each<[SftpRequest, string]>([
    [{ kind: 'open', path: '/x', flags: OPEN_NEW, mode: 0o400 }, `00000017 03 00000007 ${PATH} 0000002a 00000004 00000100`],
    [{ kind: 'open', path: '/x', flags: 1 }, `00000013 03 00000007 ${PATH} 00000001 00000000`],
    [{ kind: 'close', handle: HANDLE }, '0000000b 04 00000007 00000002aabb'],
    [{ kind: 'read', handle: HANDLE, offset: 2 ** 40, length: 32768 }, '00000017 05 00000007 00000002aabb 0000010000000000 00008000'],
    [{ kind: 'write', handle: HANDLE, offset: 3, pieces: [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)] }, '0000001a 06 00000007 00000002aabb 0000000000000003 00000003 010203'],
    [{ kind: 'lstat', path: '/x' }, `0000000b 07 00000007 ${PATH}`],
    [{ kind: 'mkdir', path: '/x', mode: 0o700 }, `00000013 0e 00000007 ${PATH} 00000004 000001c0`],
    [{ kind: 'rename', path: '/x', newPath: '/x' }, `00000011 12 00000007 ${PATH} ${PATH}`],
    [{ kind: 'hardlink', path: '/x', newPath: '/x' }, `00000029 c8 00000007 00000014 ${toHex(utf8('hardlink@openssh.com'))} ${PATH} ${PATH}`],
    [{ kind: 'fsync', handle: HANDLE }, `00000020 c8 00000007 00000011 ${toHex(utf8('fsync@openssh.com'))} 00000002aabb`],
  ])('%o', (request, wanted) => {
    expect(toHex(encodeRequest(7, request))).toBe(wanted.replaceAll(' ', ''))
  })
})

describe('replies', () => {
  test('version and extensions', () => {
    const version = decodeVersion(message(`02 00000003 00000014 ${toHex(utf8('hardlink@openssh.com'))} 00000001 31`))
    expect(version).toEqual({ version: 3, extensions: new Set(['hardlink@openssh.com']) })
  })

  test('status, with and without words', () => {
    expect(decodeReply(message('65 00000007 00000002 00000002 6e6f 00000000'))).toEqual({ kind: 'status', id: 7, code: 2, message: 'no' })
    expect(decodeReply(message('65 00000007 00000004'))).toEqual({ kind: 'status', id: 7, code: 4, message: '' })
  })

  test('handle, data, names, attributes, numbers', () => {
    expect(decodeReply(message('66 00000001 00000002 aabb'))).toEqual({ kind: 'handle', id: 1, handle: HANDLE })
    expect(decodeReply(message('67 00000001 00000003 010203'))).toEqual({ kind: 'data', id: 1, bytes: Uint8Array.of(1, 2, 3) })
    expect(decodeReply(message('68 00000001 00000002 00000001 61 00000000 00000005 0000000000000009 000081a4 00000001 62 00000000 80000004 000041c0 00000001 00000001 78 00000000'))).toEqual({
      kind: 'name', id: 1, entries: [{ name: 'a', sizeBytes: 9, kind: 'file' }, { name: 'b', sizeBytes: undefined, kind: 'folder' }],
    })
    expect(decodeReply(message('69 00000001 0000000f 0000000000000010 00000000 00000000 0000a1ff 00000000 00000000'))).toEqual({ kind: 'attrs', id: 1, attributes: { sizeBytes: 16, kind: 'link' } })
    expect(decodeReply(message('c9 00000001 0000000000000001 00000000000000ff'))).toEqual({ kind: 'extended', id: 1, numbers: [1n, 255n] })
  })

  test.each([
    ['a string longer than the message', '67 00000001 ffffffff 00'],
    ['four billion names', '68 00000001 ffffffff'],
    ['four billion attributes', '69 00000001 80000000 ffffffff'],
    ['a size beyond 2^53', '69 00000001 00000001 ffffffffffffffff'],
    ['an unknown type', '63 00000001'],
    ['a handle of 257 bytes', `66 00000001 00000101 ${'00'.repeat(257)}`],
    ['nothing', '65'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decodeReply(message(hex))).toThrow(SftpProtocolError)
  })

  test('any bytes give a reply or that error, and nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(101, 102, 103, 104, 105, 201), (bytes, type) => {
      for (const decode of [decodeReply, decodeVersion]) {
        try {
          decode(concatBytes(Uint8Array.of(type), bytes))
        } catch (error) {
          if (!(error instanceof SftpProtocolError)) throw error
        }
      }
    }))
  })
})

describe('messages in a stream', () => {
  test('are the same however the bytes are cut', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 5, maxLength: 50 }), { maxLength: 8 }), fc.array(fc.nat(20), { minLength: 1 }), (bodies, cuts) => {
      const stream = concatBytes(...bodies.map((body) => concatBytes(Uint8Array.of(0, 0, 0, body.length), body)))
      const split = messageSplitter()
      const found: Uint8Array[] = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const length = 1 + cuts[i % cuts.length]!
        found.push(...split(stream.subarray(at, at + length)))
        at += length
      }
      expect(found).toEqual(bodies)
    }))
  })

  test.each(['Welcome to this machine\n', '\0\0\0\u0004', '\u007f\0\0\0'])('refuse %o as a length, before anything is allocated by it', (text) => {
    expect(() => messageSplitter()(utf8(text))).toThrow(SftpProtocolError)
  })
})
