/**
 * Pax records, which stand before an entry and say what its header has no room for: `LENGTH KEY=VALUE`
 * and a line feed, where LENGTH counts the whole record in decimal, itself included. Values are bytes
 * (names and attributes need not be text), so a value is read by its length and never searched.
 */
import { concatBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'

export interface PaxRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const [BLANK, EQUALS, LINE_FEED] = [0x20, 0x3d, 0x0a]
/** A length has so many digits at most: what a header may hold is bounded by its reader. */
const DIGITS_MOST = 9

export function encodePax(key: string | Uint8Array, value: string | Uint8Array): Uint8Array {
  const bytes = (part: string | Uint8Array): Uint8Array => (typeof part === 'string' ? utf8(part) : part)
  const rest = concatBytes(Uint8Array.of(BLANK), bytes(key), Uint8Array.of(EQUALS), bytes(value), Uint8Array.of(LINE_FEED))
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return concatBytes(utf8(String(length)), rest)
}

/** @throws {BackupError} CORRUPT */
export function decodePax(bytes: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = []
  for (let at = 0; at < bytes.length; ) {
    // Some writers pad with zeros.
    if (bytes[at] === 0) break
    const blank = bytes.subarray(at, at + DIGITS_MOST + 1).indexOf(BLANK)
    const digits = Buffer.from(bytes.subarray(at, at + Math.max(0, blank))).toString('latin1')
    const end = at + Number(digits)
    const equals = bytes.indexOf(EQUALS, at + blank)
    if (!/^\d+$/.test(digits) || end > bytes.length || bytes[end - 1] !== LINE_FEED || equals === -1 || equals >= end) throw new BackupError('CORRUPT', 'a pax header of the tar is broken')
    records.push({ key: bytes.slice(at + blank + 1, equals), value: bytes.slice(equals + 1, end - 1) })
    at = end
  }
  return records
}

/** A time as pax has it: decimal seconds. Before 1970 the fraction counts backwards. */
export function paxTime(seconds: number, nanoseconds: number): string {
  const isBefore = seconds < 0 && nanoseconds > 0
  const whole = isBefore ? seconds + 1 : seconds
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds
  const sign = isBefore && whole === 0 ? '-' : ''
  return fraction === 0 ? String(whole) : `${sign}${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
}

/** @throws {BackupError} CORRUPT - no time */
export function parsePaxTime(text: string): { readonly s: number; readonly ns: number } {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text)
  if (match === null) throw new BackupError('CORRUPT', 'a pax header of the tar states a time that is none')
  const whole = Number(match[2])
  const ns = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'))
  if (match[1] === '') return { s: whole, ns }
  return ns === 0 ? { s: whole === 0 ? 0 : -whole, ns } : { s: -whole - 1, ns: 1_000_000_000 - ns }
}
