import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { load, temporaryFolder } from './support.ts'

const folder = temporaryFolder()
/** Workers and processes of their own run what was built: Node 20 does not load .ts files. */
const dist = new URL('../../../dist/util/posix/', import.meta.url).href

const script = `
  const { parentPort, workerData } = require('node:worker_threads')
  const load = (file) => import(workerData.dist + file)
  Promise.all([load('open.js'), load('stat.js'), load('directory.js'), load('fallback.js')]).then(([open, stat, directory, fallback]) => {
    let seen = 0
    for (let round = 0; round < 200; round++) {
      const fd = open.openAt(open.AT_FDCWD, Buffer.from(workerData.folder), open.OPEN_DIRECTORY)
      for (const { name } of directory.readEntries(fd)) {
        if (stat.statAt(fd, name).size !== Number(name.toString())) throw new Error('wrong size of ' + name)
        if (stat.statAtIfPresent(fd, Buffer.from('absent')) !== undefined) throw new Error('found what is not there')
        try {
          open.openAt(fd, Buffer.from(name + '/x'), open.O_RDONLY)
          throw new Error('opened what is not there')
        } catch (error) {
          if (error.code !== 'ENOTDIR') throw error
        }
        seen++
      }
      open.close(fd)
    }
    parentPort.postMessage({ seen, native: fallback.posixCapabilities().native })
  })
`

test('several threads at once read the same folder, each with scratch memory of its own', async () => {
  const sizes = join(folder, 'sizes')
  mkdirSync(sizes)
  for (let size = 0; size < 50; size++) writeFileSync(join(sizes, String(size)), Buffer.alloc(size))
  const results = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(script, { eval: true, workerData: { dist, folder: sizes } })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  const { native } = (await load('native')).posixCapabilities()
  expect(results).toEqual([1, 2, 3].map(() => ({ seen: 10_000, native })))
})

test('importing the calls does not load koffi: only making one does', () => {
  const code = `
    const { createRequire } = await import('node:module')
    const require = createRequire(process.cwd() + '/')
    const loaded = () => process.report.getReport().sharedObjects.some((path) => path.includes('koffi'))
    const stat = await import('${dist}stat.js')
    const before = loaded()
    stat.statAt(stat.AT_FDCWD, Buffer.from('/'))
    console.log(JSON.stringify([before, loaded()]))
  `
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  expect(JSON.parse(printed)).toEqual([false, true])
})
