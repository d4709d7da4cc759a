/**
 * Made test/format/frozen-v1 once, with the program built of the commit that froze format 1. It is
 * kept so that everyone can see what is in there, and must not be run over it again: what is frozen is
 * what that program wrote.
 *
 *   node test/format/make-frozen.mjs FOLDER
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createChunker } from '../../dist/chunker/fastcdc.js'
import { backup, catTree, createBackend, listTree, createRepository, loadSnapshots, openRepository } from '../../dist/index.js'

const folder = process.argv[2]
if (folder === undefined || existsSync(folder)) throw new Error('name a folder that is not there')

/** The same bytes for ever, and no pattern: SHA-256 of a name and a number. */
function noise(name, length) {
  const parts = []
  for (let i = 0; i * 32 < length; i++) parts.push(createHash('sha256').update(`${name} ${i}`).digest())
  return Buffer.concat(parts).subarray(0, length)
}

/**
 * So many chunks, each another, of hardly any information: each is a number, zeros, and the bytes at
 * whose end the chunker cut somewhere else, behind the least size and before the mask becomes easy.
 */
function manyChunks(count) {
  const buffer = createChunker({ minBytes: 4096, averageBytes: 16_384, maxBytes: 65_536 }).allocate(1 << 20)
  buffer.bytes().set(noise('window', 1 << 20))
  const ends = buffer.cut(0, 1 << 20, true)
  const end = ends.find((at, i) => at - (ends[i - 1] ?? 0) > 4200 && at - (ends[i - 1] ?? 0) < 10_000)
  const chunk = Buffer.alloc(5000)
  chunk.set(buffer.bytes().subarray(end - 64, end), 5000 - 64)
  buffer.free()
  return Buffer.concat(Array.from({ length: count }, (_, i) => {
    const own = Buffer.from(chunk)
    own.writeUInt32LE(i)
    return own
  }))
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

const place = '/tmp/nacre-frozen'
if (existsSync(place)) throw new Error(`${place} is in the way`)
mkdirSync(place)
const source = join(place, 'source')

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
  writeFileSync(join(source, 'noise'), noise('noise', 60_000))
  writeFileSync(join(source, 'long list'), manyChunks(1400))
  writeFileSync(join(source, 'folder', 'secret'), 'for nobody')
  chmodSync(join(source, 'folder', 'secret'), 0o4600)
  mkdirSync(join(source, 'many'))
  for (let i = 0; i < 700; i++) writeFileSync(join(source, 'many', `${i}`), i % 40 === 0 ? `content ${i}` : '')
  times()
}

/** Times that are the same for ever, one of them before 1970; from the inside out. */
function times() {
  let i = 0
  const visit = (folder) => {
    for (const name of readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const path = Buffer.concat([folder, Buffer.from('/'), name])
      const stat = lstatSync(path)
      if (stat.isDirectory()) visit(path)
      const seconds = i++ === 3 ? -1 : 1_000_000_000 + i
      if (stat.isSymbolicLink()) lutimesSync(path, seconds, seconds)
      else utimesSync(path, seconds, seconds)
    }
  }
  visit(Buffer.from(source))
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
writeFileSync(join(source, 'noise'), Buffer.concat([noise('noise', 30_000), Buffer.from('inserted'), noise('noise', 60_000).subarray(30_000)]))
rmSync(join(source, 'nothing'), { recursive: true })
writeFileSync(join(source, 'many', '100 more'), 'in the middle of a long list of names')
await save({ description: 'with a change', timeNs: 1_700_000_100_000_000_000n, level: 19 })
await save({ paths: [source, ...Array.from({ length: 250 }, (_, i) => join(source, `gone ${i}`))], timeNs: 1_700_000_200_000_000_000n, level: null, force: true })
rmSync(join(source, 'long list'))
await save({ person: { user: 'bob', host: 'argonaut' }, timeNs: 1_700_000_300_000_000_000n })

// Both kinds of lists must nest, or the repository shows less than it should.
const { snapshots } = await loadSnapshots(repository)
for await (const { node } of listTree(repository, snapshots[0], Buffer.from(source))) {
  const name = Buffer.from(node.name).toString()
  const root = name === 'many' ? node.subtree : name === 'long list' ? node.content.root : undefined
  if (root === undefined) continue
  const { level } = await catTree(repository, Buffer.from(root).toString('hex'))
  if (level === 0) throw new Error(`"${name}" is no nested list: run it again, the keys decide`)
}

await repository[Symbol.asyncDispose]()
await backend[Symbol.asyncDispose]()
writeFileSync(join(folder, 'listing.json.gz'), gzipSync(JSON.stringify(listing), { level: 9 }))
rmSync(place, { recursive: true })
