import { expect, test } from 'vitest'
import { aclAttribute, aclText } from '../../src/codec/acl-text.ts'
import { expectRefused } from '../util/expect-error.ts'

const NAMES = { user: new Map([['root', 0], ['me', 1000]]), group: new Map([['staff', 50]]) }
const idOf = (kind: 'user' | 'group', name: string): number | undefined => NAMES[kind].get(name)

function attribute(...entries: (readonly [tag: number, permissions: number, id?: number])[]): Uint8Array {
  const bytes = Buffer.alloc(4 + 8 * entries.length)
  bytes.writeUInt32LE(2)
  entries.forEach(([tag, permissions, id = 0xffff_ffff], i) => {
    bytes.writeUInt16LE(tag, 4 + 8 * i)
    bytes.writeUInt16LE(permissions, 6 + 8 * i)
    bytes.writeUInt32LE(id, 8 + 8 * i)
  })
  return new Uint8Array(bytes)
}

const FULL = attribute([1, 6], [2, 4, 0], [2, 7, 1000], [4, 4], [8, 5, 50], [0x10, 7], [0x20, 0])
const TEXT = 'user::rw-,user:0:r--,user:1000:rwx,group::r--,group:50:r-x,mask::rwx,other::---'

test('an ACL is text and back', () => {
  expect(aclText(FULL)).toBe(TEXT)
  expect(aclAttribute(TEXT, false, idOf)).toEqual(FULL)
})

test.each([
  ['names, line by line, as GNU tar writes', 'user::rw-\nuser:root:r--\nuser:me:rwx\ngroup::r--\ngroup:staff:r-x\nmask::rwx\nother::---\n'],
  ['numbers behind the permissions, as star and bsdtar write', 'user::rw-,user:nobody-here:r--:0,user:x:rwx:1000,group::r--,group:y:r-x:50,mask::rwx,other::---'],
  ['in any order, with comments, short, and with digits', 'o::0, m:7 ,g:staff:rx,g::4,u:me:rwx\t#effective:rwx,u:0:r,u::rw'],
  ['what a folder hands down, with the word', TEXT.replaceAll(/(^|,)/g, '$1default:')],
])('read: %s', (_, text) => {
  expect(aclAttribute(text, false, idOf)).toEqual(FULL)
})

test('what says no more than the mode is no ACL, unless it is handed down', () => {
  const plain = 'user::rw-,group::r--,other::r--'
  expect(aclAttribute(plain, false, idOf)).toBeUndefined()
  expect(aclText(aclAttribute(plain, true, idOf)!)).toBe(plain)
})

test.each([
  ['', 'none'],
  ['user::rw-,group::r--', 'none'],
  ['user::rw-,user:me:r--,group::r--,other::r--', 'none'],
  ['user::rw-,user:me:r--,user:1000:r--,group::r--,mask::r--,other::r--', 'none'],
  ['user::rw-,group::r--,other::r--,robot:me:r--', 'robot:me:r--'],
  ['user::rwz,group::r--,other::r--', 'user::rwz'],
  ['user::rw-,user:4294967295:r--,group::r--,mask::r--,other::r--', '4294967295'],
  ['user::rw-,user:stranger:r--,group::r--,mask::r--,other::r--', 'the user "stranger"'],
])('refused: %j', (text, says) => {
  expect(expectRefused(() => aclAttribute(text, false, idOf), 'CORRUPT').message).toContain(says)
})

test('bytes that Linux would not write are no text', () => {
  expect(aclText(attribute([1, 6], [4, 4], [0x20, 0]).subarray(1))).toBeUndefined()
  expect(aclText(attribute([4, 4], [1, 6], [0x20, 0]))).toBeUndefined()
  expect(aclText(attribute([1, 6, 5], [4, 4], [0x20, 0]))).toBeUndefined()
  expect(aclText(attribute([1, 6], [4, 4], [0x20, 0], [0x40, 0]))).toBeUndefined()
})
