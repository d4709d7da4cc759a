/**
 * Where each object stands below the repository's root, the same on every backend. Names are held
 * to strict patterns in both directions: a reference that does not fit never becomes a path, so no
 * name can leave the repository, and a file that does not fit is not an object, so temporary files
 * and strangers' files are never listed.
 */
import type { ObjectRef, ObjectType } from './backend.ts'

export type GcRecord = 'plan' | 'verdict' | 'done'

const greatestUint32 = 0xffff_ffff
const greatestGeneration = 9_999_999_999

/** What captures is a decimal number that must fit 32 bits. */
const namePatterns: ReadonlyMap<ObjectType, RegExp> = new Map([
  ['config', /^config$/],
  ['keys', /^[0-9a-f]{64}$/],
  ['packs', /^[0-9a-f]{64}$/],
  ['index', /^(0|[1-9][0-9]{0,9})\/[0-9a-f]{64}$/],
  ['sessions', /^(0|[1-9][0-9]{0,9})\/[0-9a-f]{32}$/],
  ['snapshots', /^(0|[1-9][0-9]{0,9})\/[0-9a-f]{32}$/],
  ['forgotten', /^(0|[1-9][0-9]{0,9})\/[0-9a-f]{32}$/],
  ['marks', /^(0|[1-9][0-9]{0,9})\/[0-9a-f]{32}\.(0|[1-9][0-9]{0,9})$/],
  ['gc', /^[0-9]{10}\.(?:plan|verdict|done)$/],
  ['probes', /^[0-9a-f]{32}$/],
])

export const objectTypes: readonly ObjectType[] = [...namePatterns.keys()]

export function isObjectType(text: unknown): text is ObjectType {
  return namePatterns.has(text as ObjectType)
}

export function isObjectName(type: ObjectType, name: string): boolean {
  const match = typeof name === 'string' ? namePatterns.get(type)?.exec(name) : undefined
  if (!match) return false
  return match.slice(1).every((digits) => Number(digits) <= greatestUint32)
}

/** @throws {TypeError} when the text is no object type */
export function checkType(type: ObjectType): void {
  if (!isObjectType(type)) throw new TypeError(`not an object type: ${JSON.stringify(type)}`)
}

/**
 * The object's path below the root, with `/` between its parts.
 * @throws {TypeError} when the reference does not fit the layout
 */
export function refKey(ref: ObjectRef): string {
  checkType(ref.type)
  if (!isObjectName(ref.type, ref.name)) {
    throw new TypeError(`not a name of type ${ref.type}: ${JSON.stringify(ref.name)}`)
  }
  if (ref.type === 'config') return 'config'
  return ref.type === 'packs' ? `packs/${ref.name.slice(0, 2)}/${ref.name}` : `${ref.type}/${ref.name}`
}

/** The object that stands at that path below the root, or undefined when none can. */
export function parseKey(key: string): ObjectRef | undefined {
  if (key === 'config') return configRef
  const slash = key.indexOf('/')
  const type = key.slice(0, Math.max(slash, 0))
  if (!isObjectType(type) || type === 'config') return undefined
  const rest = key.slice(slash + 1)
  if (type !== 'packs') return isObjectName(type, rest) ? { type, name: rest } : undefined
  const name = rest.slice(3)
  return isObjectName(type, name) && rest.slice(0, 3) === `${name.slice(0, 2)}/` ? { type, name } : undefined
}

/**
 * How the objects of a type are spread over folders: in the root itself, in one folder, or in
 * folders named by the pack's first two digits or by the group.
 */
export function foldersOf(type: ObjectType): 'root' | 'flat' | 'shards' | 'groups' {
  if (type === 'config') return 'root'
  if (type === 'keys' || type === 'gc' || type === 'probes') return 'flat'
  return type === 'packs' ? 'shards' : 'groups'
}

export function isFolderName(type: ObjectType, name: string): boolean {
  const folders = foldersOf(type)
  if (folders === 'shards') return /^[0-9a-f]{2}$/.test(name)
  return folders === 'groups' && /^(?:0|[1-9][0-9]{0,9})$/.test(name) && Number(name) <= greatestUint32
}

export const configRef: ObjectRef = Object.freeze({ type: 'config', name: 'config' })

export function keyRef(id: string): ObjectRef {
  return checked('keys', id)
}

export function packRef(id: string): ObjectRef {
  return checked('packs', id)
}

export function indexRef(group: number, id: string): ObjectRef {
  return checked('index', `${group}/${id}`)
}

export function sessionRef(group: number, sid: string): ObjectRef {
  return checked('sessions', `${group}/${sid}`)
}

export function snapshotRef(group: number, sid: string): ObjectRef {
  return checked('snapshots', `${group}/${sid}`)
}

export function forgottenRef(group: number, sid: string): ObjectRef {
  return checked('forgotten', `${group}/${sid}`)
}

export function markRef(group: number, sid: string, n: number): ObjectRef {
  return checked('marks', `${group}/${sid}.${n}`)
}

export function gcRef(generation: number, record: GcRecord): ObjectRef {
  if (!Number.isSafeInteger(generation) || generation < 0 || generation > greatestGeneration) {
    throw new TypeError(`not a generation: ${generation}`)
  }
  return checked('gc', `${String(generation).padStart(10, '0')}.${record}`)
}

/** What was made to try the storage: of no meaning to anyone but who made it. */
export function probeRef(id: string): ObjectRef {
  return checked('probes', id)
}

/** @throws {TypeError} when names of this type carry no group */
export function groupOf(ref: ObjectRef): number {
  if (foldersOf(ref.type) !== 'groups') throw new TypeError(`objects of type ${ref.type} have no group`)
  return Number(ref.name.slice(0, ref.name.indexOf('/')))
}

/** The id or sid in the name. @throws {TypeError} when names of this type carry none */
export function idOf(ref: ObjectRef): string {
  const id = /[0-9a-f]{32,64}/.exec(ref.name)?.[0]
  if (id === undefined || ref.type === 'config' || ref.type === 'gc') {
    throw new TypeError(`objects of type ${ref.type} have no id`)
  }
  return id
}

/** The n of `<group>/<sid>.<n>`. */
export function markNumber(ref: ObjectRef): number {
  if (ref.type !== 'marks') throw new TypeError(`not a mark: ${ref.type}/${ref.name}`)
  return Number(ref.name.slice(ref.name.lastIndexOf('.') + 1))
}

export function gcParts(ref: ObjectRef): { generation: number; record: GcRecord } {
  if (ref.type !== 'gc') throw new TypeError(`not a gc record: ${ref.type}/${ref.name}`)
  return { generation: Number(ref.name.slice(0, 10)), record: ref.name.slice(11) as GcRecord }
}

function checked(type: ObjectType, name: string): ObjectRef {
  const ref = { type, name }
  refKey(ref)
  return ref
}
