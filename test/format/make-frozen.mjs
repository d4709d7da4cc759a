/**
 * Made test/format/frozen-v1 once, with the program built of the commit that froze format 1. It is
 * kept so that everyone can see what is in there, and must not be run over it again: what is frozen is
 * what that program wrote.
 *
 *   node test/format/make-frozen.mjs FOLDER
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backup, createBackend, createRepository, loadSnapshots, openRepository } from '../../dist/index.js'

const folder = process.argv[2]
if (folder === undefined || existsSync(folder)) throw new Error('name a folder that is not there')

/** The same bytes for ever, and no pattern: SHA-256 of a name and a number. */
function noise(name, length) {
  const parts = []
  for (let i = 0; i * 32 < length; i++) parts.push(createHash('sha256').update(`${name} ${i}`).digest())
  return Buffer.concat(parts).subarray(0, length)
}

/** Every path below the root, as the snapshots must give it back. */
function look(root) {
  const entries = []
  const inodes = new Map()
  const visit = (path, shown) => {
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const at = Buffer.concat([path, Buffer.from('/'), name])
      const own = shown + (shown === '' ? '' : '/') + name.toString('latin1')
      const stat = lstatSync(at, { bigint: true })
      const type = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file'
      const entry = { path: own, type, mode: Number(stat.mode & 0o7777n), mtime: String(stat.mtimeNs) }
      if (type === 'symlink') entry.target = readlinkSync(at, { encoding: 'buffer' }).toString('latin1')
      if (type === 'file') {
        entry.size = Number(stat.size)
        entry.sha256 = createHash('sha256').update(readFileSync(at)).digest('hex')
        const first = inodes.get(stat.ino)
        if (first === undefined) inodes.set(stat.ino, own)
        else entry.link_of = first
      }
      entries.push(entry)
      if (type === 'directory') visit(at, own)
    }
  }
  visit(Buffer.from(root), '')
  return entries
}

const place = mkdtempSync(join(tmpdir(), 'nacre-frozen-'))
const source = join(place, 'source')
const time = (path, s) => utimesSync(path, s, s)

function first() {
  mkdirSync(join(source, 'folder', 'deep', 'er'), { recursive: true })
  mkdirSync(join(source, 'nothing'))
  writeFileSync(join(source, 'empty'), '')
  writeFileSync(join(source, 'folder', 'text'), 'The chambered nautilus builds its shell a layer at a time.\n'.repeat(800))
  writeFileSync(join(source, 'folder', 'deep', 'er', 'one byte'), '.')
  linkSync(join(source, 'folder', 'text'), join(source, 'folder', 'deep', 'same text'))
  symlinkSync('../nowhere', join(source, 'folder', 'link'))
  symlinkSync(Buffer.of(0x6c, 0xff), join(source, 'link that is no text'))
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.of(0xe9, 0xff, 0x01)]), 'a name that is no text')
  writeFileSync(join(source, 'ünïcode \u{1f41a}'), 'a name that is')
  writeFileSync(join(source, 'x'.repeat(255)), 'a long name')
  // Chunks of 16 KiB on average: some make a list beside the node, and some stand in it.
  writeFileSync(join(source, 'noise'), noise('noise', 100_000))
  // The same 25 bytes' worth of chunks again and again: a list of several blobs that takes no room.
  writeFileSync(join(source, 'long list'), Buffer.alloc(64 * 1024 * 700, 7))
  writeFileSync(join(source, 'folder', 'secret'), 'for nobody')
  chmodSync(join(source, 'folder', 'secret'), 0o4600)
  mkdirSync(join(source, 'many'))
  for (let i = 0; i < 2000; i++) writeFileSync(join(source, 'many', `${i}`), i % 40 === 0 ? `content ${i}` : '')
  times()
}

function times() {
  for (const [i, name] of readdirSync(source, { recursive: true, encoding: 'buffer' }).entries()) {
    const path = Buffer.concat([Buffer.from(`${source}/`), name])
    if (!lstatSync(path).isSymbolicLink()) time(path, i === 3 ? -1 : 1_000_000_000 + i)
    else lutimesSync(path, 5, 5)
  }
}

const password = Buffer.from('frozen for ever')
const person = { user: 'ada', host: 'nautilus' }
const backend = await createBackend({ kind: 'local', path: join(folder, 'repository') })
await createRepository({ backend, password, person, kdf: { algorithm: 1, memoryKib: 256, passes: 1, lanes: 1 }, chunkBytes: 16 * 1024 })
const repository = await openRepository({ backend, password, cacheFolder: join(place, 'cache') })
const listing = { password: 'frozen for ever', source, snapshots: [] }
const save = async (options) => {
  const { snapshotId } = await backup(repository, { paths: [source], person, threads: 2, ...options })
  const { snapshots } = await loadSnapshots(repository)
  const snapshot = snapshots.find(({ id }) => id === snapshotId)
  listing.snapshots.push({
    id: snapshotId, time_ns: String(snapshot.startNs), host: snapshot.host, tags: snapshot.tags, label: snapshot.label, skipped: snapshot.skippedCount,
    sequence: snapshot.sequence, previous: snapshot.previous ?? null, parent: snapshot.parent ?? null, files: snapshot.summary.totalFiles, entries: look(source),
  })
}

first()
await save({ tags: ['first', 'ünïcode'], label: 'begun', timeNs: 1_700_000_000_123_456_789n })
writeFileSync(join(source, 'noise'), Buffer.concat([noise('noise', 50_000), Buffer.from('inserted'), noise('noise', 100_000).subarray(50_000)]))
rmSync(join(source, 'nothing'), { recursive: true })
writeFileSync(join(source, 'many', '1000 more'), 'in the middle of a long list of names')
await save({ description: 'with a change', timeNs: 1_700_000_100_000_000_000n, level: 19 })
await save({ paths: [source, ...Array.from({ length: 250 }, (_, i) => join(source, `gone ${i}`))], timeNs: 1_700_000_200_000_000_000n, level: null, force: true })
rmSync(join(source, 'long list'))
await save({ person: { user: 'bob', host: 'argonaut' }, timeNs: 1_700_000_300_000_000_000n })

await repository[Symbol.asyncDispose]()
await backend[Symbol.asyncDispose]()
writeFileSync(join(folder, 'listing.json'), `${JSON.stringify(listing, undefined, 1)}\n`)
rmSync(place, { recursive: true })
