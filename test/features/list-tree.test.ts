import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ListTreeOptions, listTree } from '../../src/features/list-tree.ts'
import { loadIndex } from '../../src/repository/index-loader.ts'
import type { Repository } from '../../src/repository/repository.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { smallRepository } from './small-repository.ts'

async function listed(repository: Repository, snapshot: Snapshot, path: string | undefined, options?: ListTreeOptions): Promise<string[]> {
  const seen: string[] = []
  const listing = listTree(repository, snapshot, path === undefined ? undefined : utf8(path), options)
  for await (const { path: at, node } of listing) seen.push(`${node.type} ${Buffer.from(at).toString()}`)
  return seen
}

describe('listTree', () => {
  test('lists a folder\'s children, all that is below, or a file itself', async () => {
    await using small = await smallRepository()
    const { repository, source } = small
    await mkdir(join(source, 'sub', 'deep'), { recursive: true })
    await writeFile(join(source, 'file'), 'x')
    await writeFile(join(source, 'sub', 'deep', 'inner'), 'y')
    await symlink('file', join(source, 'link'))
    const snapshot = await small.save()

    const children = [`file ${source}/file`, `symlink ${source}/link`, `directory ${source}/sub`]
    expect(await listed(repository, snapshot, source)).toEqual(children)
    expect(await listed(repository, snapshot, `${source}//`)).toEqual(children)
    expect(await listed(repository, snapshot, source, { recursive: true })).toEqual([...children, `directory ${source}/sub/deep`, `file ${source}/sub/deep/inner`])
    expect(await listed(repository, snapshot, `${source}/sub/deep/inner`)).toEqual([`file ${source}/sub/deep/inner`])
    expect(await listed(repository, snapshot, `${source}/link`)).toEqual([`symlink ${source}/link`])
    const [, top] = source.split('/')
    expect(await listed(repository, snapshot, undefined)).toEqual([`directory /${top}`])
    await expect(listed(repository, snapshot, `${source}/nothing`)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND', details: { nearest: source } })
  })

  test('lists a folder whose list is several blobs, in byte order, with a cold catalogue', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    const names = Array.from({ length: 1500 }, (_, i) => `n${i}`)
    for (const name of names) await writeFile(join(small.source, name), '')
    const snapshot = await small.save()
    const cold = await small.reopen()
    expect(await listed(cold, snapshot, small.source)).toEqual(names.sort().map((name) => `file ${small.source}/${name}`))
  })

  test('still knows its own group after another group\'s index was loaded', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    await writeFile(join(small.source, 'file'), '')
    const snapshot = await small.save()
    const cold = await small.reopen()
    await loadIndex(cold)
    const { catalogue } = await loadIndex(cold, { group: 3 })
    expect(catalogue.absorbed.size).toBe(1)
    expect(await listed(cold, snapshot, small.source)).toEqual([`file ${small.source}/file`])
  })

  test('keeps names that are no UTF-8 as they are', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    const name = Buffer.from([0x61, 0xff])
    await writeFile(Buffer.concat([Buffer.from(`${small.source}/`), name]), '')
    const snapshot = await small.save()
    for await (const { path, node } of listTree(small.repository, snapshot, utf8(small.source))) {
      expect(Buffer.from(node.name)).toEqual(name)
      expect(Buffer.from(path)).toEqual(Buffer.concat([Buffer.from(`${small.source}/`), name]))
    }
  })
})
