import { describe, expect, test } from 'vitest'
import { OPCODE, WRITING } from '../../src/fuse/opcodes.ts'
import { absentReply, type Attributes, attributesReply, createEntryList, entryReply, errorReply, initReply, offsetReply, sizeReply, statfsReply } from '../../src/fuse/replies.ts'
import { decodeRequest } from '../../src/fuse/requests.ts'

/** A request as the kernel writes it. */
function request(opcode: number, body: Uint8Array, lengthBytes = 40 + body.length): Uint8Array {
  const header = Buffer.alloc(40)
  header.writeUInt32LE(lengthBytes, 0)
  header.writeUInt32LE(opcode, 4)
  header.writeBigUInt64LE(0x1122334455667788n, 8)
  header.writeBigUInt64LE((1n << 40n) + 7n, 16)
  return Buffer.concat([header, body])
}

const words = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const UNIQUE = 0x1122334455667788n
const HEAD = { unique: UNIQUE, node: 2 ** 40 + 7 }

describe('requests', () => {
  test('are decoded field by field', () => {
    expect(decodeRequest(request(OPCODE.init, words(7, 45, 131072, 0xff, 0, 0)))).toEqual({ ...HEAD, kind: 'init', major: 7, minor: 45, maxReadahead: 131072, features: 0xff })
    expect(decodeRequest(request(OPCODE.lookup, Buffer.from('caf\xe9\0', 'latin1')))).toEqual({ ...HEAD, kind: 'lookup', name: Buffer.from('caf\xe9', 'latin1') })
    expect(decodeRequest(request(OPCODE.forget, words(3, 0)))).toEqual({ ...HEAD, kind: 'forget', forgotten: [{ node: HEAD.node, lookups: 3 }] })
    expect(decodeRequest(request(OPCODE.batchForget, words(2, 0, 5, 0, 1, 0, 6, 1, 2, 0)))).toEqual({ ...HEAD, kind: 'forget', forgotten: [{ node: 5, lookups: 1 }, { node: 2 ** 32 + 6, lookups: 2 }] })
    expect(decodeRequest(request(OPCODE.read, words(0, 0, 4096, 2, 131072, 0, 0, 0, 0, 0)))).toEqual({ ...HEAD, kind: 'read', offset: 2 ** 33 + 4096, size: 131072 })
    expect(decodeRequest(request(OPCODE.readdirplus, words(0, 0, 1, 0x40000000, 4096, 0, 0, 0, 0, 0)))).toEqual({ ...HEAD, kind: 'readdirplus', cookie: (1n << 62n) + 1n, size: 4096 })
    expect(decodeRequest(request(OPCODE.getxattr, Buffer.concat([words(64, 0), Buffer.from('user.x\0')])))).toEqual({ ...HEAD, kind: 'getxattr', name: Buffer.from('user.x'), size: 64 })
    expect(decodeRequest(request(OPCODE.lseek, words(0, 0, 9, 0, 4, 0)))).toEqual({ ...HEAD, kind: 'lseek', offset: 9, wants: 'hole' })
    expect(decodeRequest(request(OPCODE.interrupt, words(8, 0)))).toEqual({ ...HEAD, kind: 'interrupt', interrupted: 8n })
  })

  test('of every kind that writes are told as such, and unknown ones as unknown', () => {
    for (const opcode of WRITING) expect(decodeRequest(request(opcode, words(1, 2, 3, 4)))).toEqual({ ...HEAD, kind: 'writing' })
    expect(decodeRequest(request(4711, words(1)))).toEqual({ ...HEAD, kind: 'other', opcode: 4711 })
  })

  test('that are cut short, or state another length, are broken and not read', () => {
    for (const opcode of [OPCODE.init, OPCODE.forget, OPCODE.batchForget, OPCODE.read, OPCODE.readdir, OPCODE.readdirplus, OPCODE.getxattr, OPCODE.listxattr, OPCODE.lseek, OPCODE.interrupt]) {
      expect(decodeRequest(request(opcode, words(1)))).toMatchObject({ kind: 'broken', opcode })
    }
    expect(decodeRequest(request(OPCODE.batchForget, words(0xffffffff, 0, 1, 0, 1, 0)))).toMatchObject({ kind: 'broken' })
    expect(decodeRequest(request(OPCODE.lookup, Buffer.from('no end')))).toMatchObject({ kind: 'broken' })
    expect(decodeRequest(request(OPCODE.lookup, Buffer.from('\0')))).toMatchObject({ kind: 'broken' })
    expect(decodeRequest(request(OPCODE.getattr, words(), 41))).toMatchObject({ kind: 'broken' })
    expect(decodeRequest(new Uint8Array(39))).toBeUndefined()
  })
})

const ATTRIBUTES: Attributes = {
  inode: { high: 1, low: 2 }, size: 2 ** 33 + 5, blocks: 8, atimeS: 3, atimeNs: 4, mtimeS: -1, mtimeNs: 999_999_999, ctimeS: 7, ctimeNs: 8,
  mode: 0o100644, links: 2, uid: 1000, gid: 1001, rdev: 0x0501,
}
const ATTRIBUTES_HEX =
  '0200000001000000' + '0500000002000000' + '0800000000000000' + '0300000000000000' + 'ffffffffffffffff' + '0700000000000000' +
  '04000000' + 'ffc99a3b' + '08000000' + 'a4810000' + '02000000' + 'e8030000' + 'e9030000' + '01050000' + '00000200' + '00000000'
const ENTRY_HEX = '0900000000000000' + '0000000000000000' + '0a00000000000000' + '0b00000000000000' + '0000000000000000' + ATTRIBUTES_HEX

describe('replies', () => {
  test('are these bytes', () => {
    expect(hex(errorReply(UNIQUE, 5))).toBe('10000000' + 'fbffffff' + '8877665544332211')
    expect(hex(attributesReply(UNIQUE, ATTRIBUTES, 10))).toBe('78000000' + '00000000' + '8877665544332211' + '0a00000000000000' + '0000000000000000' + ATTRIBUTES_HEX)
    expect(hex(entryReply(UNIQUE, { node: 9, attributes: ATTRIBUTES, nameSeconds: 10, attributeSeconds: 11 }))).toBe('90000000' + '00000000' + '8877665544332211' + ENTRY_HEX)
    expect(hex(absentReply(UNIQUE, 10))).toBe('90000000' + '00000000' + '8877665544332211' + '00'.repeat(16) + '0a00000000000000' + '00'.repeat(104))
    expect(hex(sizeReply(UNIQUE, 6))).toBe('18000000' + '00000000' + '8877665544332211' + '0600000000000000')
    expect(hex(offsetReply(UNIQUE, 2 ** 33))).toBe('18000000' + '00000000' + '8877665544332211' + '0000000002000000')
    expect(hex(initReply(UNIQUE, { minor: 45, maxReadahead: 131072, features: 3, maxPages: 256 }))).toBe(
      '50000000' + '00000000' + '8877665544332211' + '07000000' + '24000000' + '00000200' + '03000000' + '40003000' + '00100000' + '01000000' + '00010000' + '00'.repeat(32),
    )
    expect(hex(statfsReply(UNIQUE, { blockBytes: 4096, blocks: 10, files: 3 }))).toBe(
      '60000000' + '00000000' + '8877665544332211' + '0a00000000000000' + '00'.repeat(16) + '0300000000000000' + '00'.repeat(8) + '00100000' + 'ff000000' + '00100000' + '00'.repeat(28),
    )
  })

  test('hold as many entries of a folder as were asked for, each filled up to eight bytes', () => {
    const entry = { node: 9, attributes: ATTRIBUTES, nameSeconds: 10, attributeSeconds: 11, name: Buffer.from('abc'), cookie: 3n }
    const plain = createEntryList(64, false)
    expect(plain.addSelf('.', 1n, { high: 0, low: 1 })).toBe(true)
    expect(plain.add(entry)).toBe(true)
    expect(plain.add(entry)).toBe(false)
    expect(hex(plain.reply(UNIQUE))).toBe(
      '50000000' + '00000000' + '8877665544332211' + '0100000000000000' + '0100000000000000' + '01000000' + '04000000' + '2e00000000000000' +
      '0200000001000000' + '0300000000000000' + '03000000' + '08000000' + '6162630000000000',
    )
    const plus = createEntryList(160, true)
    expect(plus.add(entry)).toBe(true)
    expect(plus.add(entry)).toBe(false)
    expect(hex(plus.reply(UNIQUE)).slice(32)).toBe(ENTRY_HEX + '0200000001000000' + '0300000000000000' + '03000000' + '08000000' + '6162630000000000')
  })
})
