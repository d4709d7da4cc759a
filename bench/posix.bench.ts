/**
 * Microseconds per call of what a scan does for each file, beside what `node:fs` takes for the same:
 * a stat with nanoseconds, the entries of a folder, a small file from opening to closing, and the
 * list of extended attributes. `src/util/posix` chose its ways by these numbers.
 */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bench } from 'tinybench'
import { readEntries } from '../src/util/posix/directory.ts'
import { posixCapabilities } from '../src/util/posix/fallback.ts'
import { AT_FDCWD, close, openAt, OPEN_DIRECTORY, OPEN_TO_READ } from '../src/util/posix/open.ts'
import { pread } from '../src/util/posix/read-write.ts'
import { fstat, statAt, statAtIfPresent } from '../src/util/posix/stat.ts'
import { listXattrsAt } from '../src/util/posix/xattrs.ts'

const ENTRIES = 100_000
const SMALL_BYTES = 3_000

const folder = fs.mkdtempSync(join(tmpdir(), 'nacre-bench-posix-'))
try {
  await run(folder)
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}

async function run(base: string): Promise<void> {
  const { native, missing } = posixCapabilities()
  console.log(native ? 'native calls' : `fallback: ${missing[0]}`)
  const small = join(base, 'small')
  fs.writeFileSync(small, Buffer.alloc(SMALL_BYTES, 7))
  const fd = openAt(AT_FDCWD, Buffer.from(base), OPEN_DIRECTORY)
  await measureFiles(fd, Buffer.from(small))
  await measureFolder(join(base, 'few'), 20)
  await measureFolder(join(base, 'many'), ENTRIES)
  close(fd)
}

async function measureFiles(fd: number, path: Buffer): Promise<void> {
  const name = Buffer.from('small')
  const absent = Buffer.from('absent')
  const buffer = Buffer.alloc(65_536)
  const bench = new Bench({ time: 500 })
  bench.add('statAt', () => void statAt(fd, name))
  bench.add('statAtIfPresent, absent', () => void statAtIfPresent(fd, absent))
  bench.add('fs.lstatSync, bigint', () => void fs.lstatSync(path, { bigint: true }))
  bench.add('fs.lstatSync', () => void fs.lstatSync(path))
  bench.add('listXattrsAt', () => void listXattrsAt(fd, name))
  bench.add(`openAt fstat pread close, ${SMALL_BYTES} bytes`, () => {
    const file = openAt(fd, name, OPEN_TO_READ)
    pread(file, buffer, 0, fstat(file).size, 0)
    close(file)
  })
  bench.add(`openSync fstatSync readSync closeSync, ${SMALL_BYTES} bytes`, () => {
    const file = fs.openSync(path, fs.constants.O_NOFOLLOW)
    fs.readSync(file, buffer, 0, Number(fs.fstatSync(file, { bigint: true }).size), 0)
    fs.closeSync(file)
  })
  await bench.run()
  print(bench, 1)
}

async function measureFolder(path: string, entries: number): Promise<void> {
  fs.mkdirSync(path)
  for (let i = 0; i < entries; i++) fs.writeFileSync(join(path, `a file's name ${(i * 7919) % 100_003}.txt`), '')
  const fd = openAt(AT_FDCWD, Buffer.from(path), OPEN_DIRECTORY)
  const bench = new Bench({ time: 500, iterations: 5, warmupIterations: 2 })
  bench.add(`readEntries, per entry of ${entries}`, () => void readEntries(fd))
  bench.add(`fs.readdirSync, per entry of ${entries}, unsorted`, () => {
    fs.readdirSync(path, { encoding: 'buffer', withFileTypes: true })
  })
  await bench.run()
  close(fd)
  print(bench, entries)
}

/** The median, as others use the same processors. */
function print(bench: Bench, divisor: number): void {
  for (const { name, result } of bench.tasks) {
    if (!('latency' in result)) throw new Error(`${name} did not run`)
    console.log(`${((result.latency.p50 * 1000) / divisor).toFixed(2).padStart(8)} µs  ${name}`)
  }
}
