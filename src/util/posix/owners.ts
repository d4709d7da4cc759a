/**
 * Names of users and groups, which travel between systems better than their numbers do. The C
 * library is asked, so that directory services count as well as /etc/passwd; every answer, also
 * that there is none, is kept, as a scan asks for the same few owners again and again.
 */
import { cString } from './c-string.ts'
import { fallbackId, fallbackName } from './fallback-owners.ts'
import { nativeCalls, type LookUpById, type LookUpByName } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

type Kind = 'user' | 'group'

/** struct passwd is larger than struct group: 48 bytes against 32. */
const RECORD_BYTES = 64
/** Where both structs have the pointer to the name, and the number. */
const NAME_AT = 0
const ID_AT = 16
/** Entries of groups hold all members; beyond this something is wrong. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024

const record = Buffer.alloc(RECORD_BYTES)
const found = Buffer.alloc(8)
let text: Buffer | undefined

const names = { user: new Map<number, string | undefined>(), group: new Map<number, string | undefined>() }
const ids = { user: new Map<string, number | undefined>(), group: new Map<string, number | undefined>() }

/** Undefined where the number has no name. */
export function userName(uid: number): string | undefined {
  return cached(names.user, uid, () => lookUpName('user', uid))
}

export function groupName(gid: number): string | undefined {
  return cached(names.group, gid, () => lookUpName('group', gid))
}

/** Undefined where there is no such user. */
export function userId(name: string): number | undefined {
  return cached(ids.user, name, () => lookUpId('user', name))
}

export function groupId(name: string): number | undefined {
  return cached(ids.group, name, () => lookUpId('group', name))
}

/** Forgets what was looked up, for processes that live long. */
export function forgetOwners(): void {
  names.user.clear()
  names.group.clear()
  ids.user.clear()
  ids.group.clear()
}

function cached<K, V>(cache: Map<K, V | undefined>, key: K, lookUp: () => V | undefined): V | undefined {
  const known = cache.get(key)
  if (known !== undefined || cache.has(key)) return known
  const value = lookUp()
  cache.set(key, value)
  return value
}

function lookUpName(kind: Kind, id: number): string | undefined {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackName(kind, id)
  const call: LookUpById = kind === 'user' ? calls.getpwuid_r : calls.getgrgid_r
  const filled = fill((into) => call(id, record, into, into.length, found))
  if (filled === undefined) return undefined
  // The name lies in our own buffer: its address less the buffer's is where.
  const at = Number(record.readBigUInt64LE(NAME_AT) - calls.address(filled))
  if (at < 0 || at >= filled.length) return undefined
  return filled.toString('utf8', at, filled.indexOf(0, at))
}

function lookUpId(kind: Kind, name: string): number | undefined {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackId(kind, name)
  const call: LookUpByName = kind === 'user' ? calls.getpwnam_r : calls.getgrnam_r
  const wanted = cString(Buffer.from(name), 'getpwnam')
  const filled = fill((into) => call(wanted, record, into, into.length, found))
  return filled === undefined ? undefined : record.readUInt32LE(ID_AT)
}

/** The buffer that the entry's text is in; undefined where there is no entry. */
function fill(call: (into: Buffer) => number): Buffer | undefined {
  for (;;) {
    text ??= Buffer.allocUnsafeSlow(16 * 1024)
    const errno = call(text)
    if (errno === errnoNumber('ERANGE') && text.length < MOST_TEXT_BYTES) {
      text = Buffer.allocUnsafeSlow(text.length * 4)
    } else if (errno !== errnoNumber('EINTR')) {
      // Libraries differ in how they say "not found"; a service that is down has no names either.
      if (errno === errnoNumber('ENOMEM') || errno === errnoNumber('EMFILE')) {
        throw systemError(errno, 'getpwnam')
      }
      return errno === 0 && found.readBigUInt64LE(0) !== 0n ? text : undefined
    }
  }
}
