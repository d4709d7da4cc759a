/**
 * Folders to back up, and a look at folders that shares no code with what is tested: it goes through
 * Node's own calls, and compares everything that a restore is to give back.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { mknodAt } from '../../src/util/posix/create.ts'
import { AT_FDCWD } from '../../src/util/posix/stat.ts'
import { setTimesAt } from '../../src/util/posix/times.ts'
import { bytesOf } from '../util/bytes-of.ts'

/** Of a path below the root, read as latin1, what stands there in one line. */
export type Seen = ReadonlyMap<string, string>


export function look(root: string | Buffer): Seen {
  const seen = new Map<string, string>()
  const links = new Map<string, string>()
  const visit = (folder: Buffer, shown: string): void => {
    const names = readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare)
    for (const name of names) {
      const path = Buffer.concat([folder, Buffer.from('/'), name])
      const key = shown + name.toString('latin1')
      const stat = lstatSync(path, { bigint: true })
      seen.set(key, describe(path, key, stat, links))
      if (stat.isDirectory()) visit(path, `${key}/`)
    }
  }
  visit(Buffer.from(root), '')
  return seen
}

function describe(path: Buffer, key: string, stat: BigIntStats, links: Map<string, string>): string {
  const common = `${(stat.mode & 0o7777n).toString(8)} ${stat.uid}:${stat.gid} ${stat.mtimeNs}`
  if (stat.isDirectory()) return `folder ${common}`
  const inode = `${stat.dev}:${stat.ino}`
  const first = links.get(inode) ?? key
  links.set(inode, first)
  const alias = first === key ? '' : ` = ${first}`
  if (stat.isFile()) return `file ${common} ${stat.size} ${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 24)}${alias}`
  // A link's mode is nobody's business.
  if (stat.isSymbolicLink()) return `link ${stat.uid}:${stat.gid} ${stat.mtimeNs} -> ${readlinkSync(path, { encoding: 'buffer' }).toString('latin1')}${alias}`
  if (stat.isFIFO()) return `fifo ${common}${alias}`
  if (stat.isSocket()) return `socket ${common}${alias}`
  return `device ${common} ${stat.rdev}${alias}`
}

/** One thing of a tree that is to be made. */
export type Plan =
  | { readonly kind: 'file'; readonly seed: number; readonly size: number; readonly mode: number; readonly time: Time }
  | { readonly kind: 'text'; readonly text: string; readonly time: Time }
  | { readonly kind: 'link'; readonly target: Buffer; readonly time: Time }
  | { readonly kind: 'folder'; readonly entries: readonly (readonly [Buffer, Plan])[]; readonly mode: number; readonly time: Time }
  | { readonly kind: 'fifo'; readonly time: Time }
  /** Another name of a file that was made before, if there is one. */
  | { readonly kind: 'name'; readonly of: number; readonly time: Time }

export interface Time {
  readonly s: number
  readonly ns: number
}

/** Makes the entries of the folder that is there; its attributes come last. */
export function make(folder: Buffer, entries: readonly (readonly [Buffer, Plan])[]): void {
  const files: Buffer[] = []
  const makeAll = (into: Buffer, all: readonly (readonly [Buffer, Plan])[]): void => {
    for (const [name, plan] of all) {
      const path = Buffer.concat([into, Buffer.from('/'), name])
      makeOne(path, plan)
      setTimesAt(AT_FDCWD, path, { mtimeS: plan.time.s, mtimeNs: plan.time.ns })
    }
  }
  const makeOne = (path: Buffer, plan: Plan): void => {
    switch (plan.kind) {
      case 'file':
        writeFileSync(path, bytesOf(plan.seed, plan.size))
        chmodSync(path, plan.mode)
        files.push(path)
        return
      case 'text':
        writeFileSync(path, plan.text)
        files.push(path)
        return
      case 'link':
        return symlinkSync(plan.target, path)
      case 'fifo':
        return mknodAt(AT_FDCWD, path, { type: 'fifo', mode: 0o640, rdevMajor: 0, rdevMinor: 0 })
      case 'name': {
        const origin = files[plan.of % Math.max(1, files.length)]
        if (origin === undefined) writeFileSync(path, 'alone')
        else linkSync(origin, path)
        return
      }
      case 'folder':
        mkdirSync(path)
        makeAll(path, plan.entries)
        chmodSync(path, plan.mode)
    }
  }
  makeAll(folder, entries)
}

export const SIZES = [0, 1, 100, 4095, 4096, 16 * 1024, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 64 * 1024 + 1, 128 * 1024, 3 * 1024 * 1024] as const

const anyTime: fc.Arbitrary<Time> = fc.record({
  // 1901 to 2446: what ext4 can hold; both sides of 1970 and of 2038.
  s: fc.oneof(fc.integer({ min: -2_147_483_648, max: 15_032_385_535 }), fc.constantFrom(-1, 0, 1, 2_147_483_647, 2_147_483_648)),
  ns: fc.oneof(fc.integer({ min: 0, max: 999_999_999 }), fc.constantFrom(0, 1, 999_999_999)),
})

/** Names that any file system takes, among them some that are no text, and some that mean something elsewhere. */
const anyName: fc.Arbitrary<Buffer> = fc.oneof(
  fc.stringMatching(/^[a-z]{1,8}$/).map((text) => Buffer.from(text)),
  fc.constantFrom(' ', '-rf', '*', '?', '[a]', '!', '#', '\\', 'a\nb', '.hidden', '...', 'ü', 'u\u0308', '\u{1f41a}', '"\'', '~', 'CON', '.nacre-x').map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 60 }).map((raw) => Buffer.from(raw.map((byte) => (byte === 0 || byte === 0x2f ? 0xe9 : byte)))),
  fc.constant(Buffer.alloc(255, 'x')),
)

const leaf: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('file' as const), seed: fc.nat(30), size: fc.constantFrom(...SIZES), mode: fc.constantFrom(0o644, 0o600, 0o755, 0o444, 0o000, 0o4755, 0o2750, 0o1777), time: anyTime }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('link' as const), target: fc.oneof(fc.constantFrom('/', '..', 'a', '/nowhere/at all').map((text) => Buffer.from(text)), anyName), time: anyTime }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('name' as const), of: fc.nat(20), time: anyTime }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fifo' as const), time: anyTime }) },
)

const entriesOf = (plan: fc.Arbitrary<Plan>): fc.Arbitrary<readonly (readonly [Buffer, Plan])[]> =>
  fc.uniqueArray(fc.tuple(anyName, plan), { maxLength: 7, selector: ([name]) => name.toString('latin1') }).map((entries) => entries.filter(([name]) => !['.', '..'].includes(name.toString('latin1'))))

export const anyEntries: fc.Arbitrary<readonly (readonly [Buffer, Plan])[]> = entriesOf(
  fc.letrec<{ plan: Plan }>((tie) => ({
    plan: fc.oneof({ maxDepth: 4, withCrossShrink: true }, { weight: 3, arbitrary: leaf }, {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('folder' as const), entries: entriesOf(tie('plan')), mode: fc.constantFrom(0o755, 0o700, 0o1777, 0o2755), time: anyTime }),
    }),
  })).plan,
)

/** Many small files, for folders whose list takes several blobs. */
export function makeMany(folder: string, count: number): void {
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `file ${String(i).padStart(6, '0')}`), `content ${i}`)
}
