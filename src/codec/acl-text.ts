/**
 * POSIX ACLs between the two forms that they have: the attribute in which Linux keeps them, and the
 * text that tars carry (`user::rw-,user:1000:r--,group::r--,mask::r--,other::r--`). The attribute is
 * a version u32 of 2, then entries of tag u16, permissions u16 and id u32, in the order of the tags
 * and of the ids below them.
 */
import { dataView } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'

const VERSION = 2
const ENTRY_BYTES = 8
const NO_ID = 0xffff_ffff
const TAG = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const
/** An attribute of 64 KiB, which is the most that Linux takes, has no more. */
const ENTRIES_MOST = 8191

interface AclEntry {
  readonly tag: number
  readonly permissions: number
  readonly id: number
}

/** Whose id a name is, on this system. */
export type IdOfName = (kind: 'user' | 'group', name: string) => number | undefined

/** Owners by number, which every tar understands. undefined when the attribute is not an ACL as Linux writes it. */
export function aclText(attribute: Uint8Array): string | undefined {
  if (attribute.length < 4 || (attribute.length - 4) % ENTRY_BYTES !== 0) return undefined
  const view = dataView(attribute)
  const entries: AclEntry[] = []
  for (let at = 4; at < attribute.length; at += ENTRY_BYTES) entries.push({ tag: view.getUint16(at, true), permissions: view.getUint16(at + 2, true), id: view.getUint32(at + 4, true) })
  // What the text cannot say to the byte is not said by it.
  if (!isValid(entries) || Buffer.compare(attributeOf(entries), attribute) !== 0) return undefined
  return entries.map(entryText).join(',')
}

/**
 * The attribute of a text: entries between commas or line feeds, names or numbers, a number behind the
 * permissions before either. undefined for one that says no more than the mode does.
 * @param isDefault - whether it is what a folder hands down, which stands also where it says no more
 * @throws {BackupError} CORRUPT - no ACL, or one of names that this system does not know
 */
export function aclAttribute(text: string, isDefault: boolean, idOfName: IdOfName): Uint8Array | undefined {
  const entries = text
    .split(/[,\n]/)
    .map((line) => line.replace(/#.*$/, '').replaceAll(/\s/g, ''))
    .filter((line) => line !== '')
    .map((line) => entryOf(line, idOfName))
    .sort((a, b) => a.tag - b.tag || a.id - b.id)
  if (!isValid(entries)) throw new BackupError('CORRUPT', 'the tar holds an ACL that is none; nothing was imported')
  return !isDefault && entries.length === 3 ? undefined : attributeOf(entries)
}

function attributeOf(entries: readonly AclEntry[]): Uint8Array {
  const bytes = new Uint8Array(4 + entries.length * ENTRY_BYTES)
  const view = dataView(bytes)
  view.setUint32(0, VERSION, true)
  entries.forEach(({ tag, permissions, id }, i) => {
    view.setUint16(4 + i * ENTRY_BYTES, tag, true)
    view.setUint16(6 + i * ENTRY_BYTES, permissions, true)
    view.setUint32(8 + i * ENTRY_BYTES, id, true)
  })
  return bytes
}

/** What the system takes: each of the owners once, a mask where others are named, all in order. */
function isValid(entries: readonly AclEntry[]): boolean {
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length
  const named = count(TAG.user) + count(TAG.group)
  if (entries.length > ENTRIES_MOST || count(TAG.userObject) !== 1 || count(TAG.groupObject) !== 1 || count(TAG.other) !== 1) return false
  if (count(TAG.mask) > 1 || (named > 0 && count(TAG.mask) === 0)) return false
  return entries.every(({ tag, permissions, id }, i) => {
    const before = entries[i - 1]
    const isNamed = tag === TAG.user || tag === TAG.group
    const isKnown = Object.values(TAG).some((known) => known === tag) && permissions < 8 && isNamed === (id !== NO_ID)
    return isKnown && (before === undefined || before.tag < tag || (before.tag === tag && before.id < id))
  })
}

const WORDS: readonly (readonly [word: string, ofAll: number, ofNamed: number | undefined])[] = [
  ['user', TAG.userObject, TAG.user],
  ['group', TAG.groupObject, TAG.group],
  ['mask', TAG.mask, undefined],
  ['other', TAG.other, undefined],
]

function entryText({ tag, permissions, id }: AclEntry): string {
  const [word] = WORDS.find(([, ofAll, ofNamed]) => tag === ofAll || tag === ofNamed)!
  const letters = ['r', 'w', 'x'].map((letter, i) => ((permissions & (4 >> i)) === 0 ? '-' : letter)).join('')
  return `${word}:${id === NO_ID ? '' : id}:${letters}`
}

/** `user:NAME:rwx` or `user:NAME:rwx:ID`; of mask and other the empty name may be left out. */
function entryOf(line: string, idOfName: IdOfName): AclEntry {
  const fields = line.replace(/^d(efault)?:/, '').split(':')
  const found = WORDS.find(([word]) => fields[0] === word || fields[0] === word[0])
  const hasName = found !== undefined && !(found[2] === undefined && fields.length === 2)
  const [name = '', letters = '', number = ''] = hasName ? fields.slice(1) : ['', ...fields.slice(1)]
  if (found === undefined || !/^[rwx-]{0,3}$|^[0-7]$/.test(letters)) throw wrong(line)
  const permissions = /^\d$/.test(letters) ? Number(letters) : (letters.includes('r') ? 4 : 0) + (letters.includes('w') ? 2 : 0) + (letters.includes('x') ? 1 : 0)
  const [word, ofAll, ofNamed] = found
  if (name === '' || ofNamed === undefined) {
    if (name !== '') throw wrong(line)
    return { tag: ofAll, permissions, id: NO_ID }
  }
  const id = /^\d+$/.test(number) ? Number(number) : /^\d+$/.test(name) ? Number(name) : idOfName(word === 'user' ? 'user' : 'group', name)
  if (id === undefined) throw new BackupError('CORRUPT', `the tar holds an ACL for the ${word} "${name}", whom this system does not know, and no number; nothing was imported (GNU tar writes numbers with --numeric-owner)`)
  if (!(id < NO_ID)) throw wrong(line)
  return { tag: ofNamed, permissions, id }
}

function wrong(line: string): BackupError {
  return new BackupError('CORRUPT', `the tar holds an ACL with the entry "${line.slice(0, 100)}", which is none; nothing was imported`)
}
