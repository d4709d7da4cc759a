import { link, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { catBlob, catConfig, catIndex, catKey, catPack, catTree, type Json, nodeJson, snapshotJson } from '../../src/features/cat.ts'
import { listObjects, splitName } from '../../src/repository/objects.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { toHex } from '../../src/util/bytes.ts'
import { CHEAP_KDF, type SmallRepository, smallRepository } from './small-repository.ts'

async function filled(small: SmallRepository): Promise<ReturnType<SmallRepository['save']>> {
  await mkdir(small.source)
  await writeFile(join(small.source, 'a'), 'hello, hello')
  await link(join(small.source, 'a'), join(small.source, 'b'))
  await symlink('a', join(small.source, 'to a'))
  return small.save({ tags: ['x'], label: 'l', description: 'd' })
}

/** The nodes of the source, from the root tree down. */
async function sourceNodes(small: SmallRepository, tree: string): Promise<Json[]> {
  let nodes: Json[] = []
  let id = tree
  for (const name of [...small.source.split('/').slice(1), undefined]) {
    nodes = (await catTree(small.repository, id))['nodes'] as Json[]
    if (name !== undefined) id = String(nodes.find((node) => node['name'] === name)!['subtree'])
  }
  return nodes
}

describe('cat', () => {
  test('config tells the parameters', async () => {
    await using small = await smallRepository()
    const config = catConfig(small.repository)
    expect(config).toMatchObject({ repository_id: small.repository.id, version: 1, chunker: 'fastcdc', chunk_average: 16_384, pack_bytes: 33_554_432, required_features: [] })
    expect(config['created']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  })

  test('snapshot tells the record in fields that JSON can hold', async () => {
    await using small = await smallRepository()
    const snapshot = await filled(small)
    const json = JSON.parse(JSON.stringify(snapshotJson(snapshot))) as Json
    expect(json).toMatchObject({ id: snapshot.id, short_id: snapshot.id.slice(0, 8), host: 'nautilus', user: 'ada', paths: [small.source], tags: ['x'], label: 'l', description: 'd', parent: null, skipped: 0 })
    expect(json['tree']).toBe(toHex(snapshot.tree))
    expect(json['summary']).toMatchObject({ total_files: 3 })
  })

  test('tree tells nodes with what hangs on them, and blob gives the bytes', async () => {
    await using small = await smallRepository()
    const snapshot = await filled(small)
    const [a, b, toA] = await sourceNodes(small, toHex(snapshot.tree))
    expect(a).toMatchObject({ name: 'a', type: 'file', size: 12, links: 2, mode: expect.stringMatching(/^0[0-7]+$/) as string })
    expect(b).toMatchObject({ name: 'b', inode: a!['inode'] })
    expect(toA).toMatchObject({ name: 'to a', type: 'symlink', target: 'a' })
    const [content] = a!['content'] as { id: string; length: number }[]
    expect(content!.length).toBe(12)
    expect(Buffer.from(await catBlob(small.repository, content!.id)).toString()).toBe('hello, hello')
    const tree = await catBlob(small.repository, toHex(snapshot.tree).toUpperCase())
    expect(tree.length).toBeGreaterThan(32)
  })

  test('tree tells the children of a long list', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    for (let i = 0; i < 1500; i++) await writeFile(join(small.source, `n${i}`), '')
    const snapshot = await small.save()
    let tree = await catTree(small.repository, toHex(snapshot.tree))
    for (const name of small.source.split('/').slice(1)) tree = await catTree(small.repository, String((tree['nodes'] as Json[]).find((node) => node['name'] === name)!['subtree']))
    expect(tree).toMatchObject({ kind: 'directory', level: 1 })
    const children = tree['children'] as Json[]
    expect(children.length).toBeGreaterThan(1)
    expect(children[0]).toMatchObject({ first_name: 'n0' })
  })

  test('pack and index tell the same frames and blobs', async () => {
    await using small = await smallRepository()
    await filled(small)
    const [indexInfo] = await listObjects(small.backend, 'index')
    const index = await catIndex(small.repository, splitName(indexInfo!.name).id.slice(0, 12))
    expect(index).toMatchObject({ id: indexInfo!.name, replaces: [] })
    const packs = index['packs'] as Json[]
    expect(packs.length).toBeGreaterThan(0)
    for (const stated of packs) {
      const pack = await catPack(small.repository, String(stated['id']).slice(0, 16).toUpperCase())
      expect(pack).toEqual({ ...stated, group: 0 })
      for (const frame of pack['frames'] as Json[]) {
        const blobs = frame['blobs'] as { length: number }[]
        expect(blobs.reduce((sum, blob) => sum + blob.length, 0)).toBe(frame['plain'])
      }
    }
    expect(await catIndex(small.repository, indexInfo!.name)).toEqual(index)
  })

  test('a pack that was cut short is told as damaged', async () => {
    await using small = await smallRepository()
    await filled(small)
    const name = 'a'.repeat(64)
    for (const bytes of [Uint8Array.of(1, 2, 3), new Uint8Array(200)]) {
      await small.backend.create({ type: 'packs', name }, [bytes])
      await expect(catPack(small.repository, name)).rejects.toMatchObject({ code: 'CORRUPT' })
      await small.backend.remove({ type: 'packs', name })
    }
  })

  test('key tells the derivation and no secret', async () => {
    await using small = await smallRepository()
    const key = await catKey(small.repository, small.repository.slotId.slice(0, 6))
    expect(key).toEqual({
      id: small.repository.slotId, role: 'owner', group: 0, user: 'ada', host: 'nautilus', created: expect.any(String) as string, current: true,
      kdf: 'argon2id', memory_kib: (CHEAP_KDF as { memoryKib: number }).memoryKib, passes: 1, lanes: 1,
    })
  })

  test('refuses ids that name nothing or several', async () => {
    await using small = await smallRepository()
    await filled(small)
    const { repository, backend } = small
    for (const digit of ['0', '1']) await backend.create({ type: 'packs', name: `ffffff${digit}`.padEnd(64, '0') }, [new Uint8Array(100)])
    await expect(catPack(repository, 'ffffff')).rejects.toMatchObject({ code: 'AMBIGUOUS_ID' })
    await expect(catPack(repository, '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(catIndex(repository, 'zz')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(catKey(repository, 'zz')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(catBlob(repository, 'abc')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(catBlob(repository, '0'.repeat(64))).rejects.toMatchObject({ code: 'BLOB_MISSING' })
    await expect(catTree(repository, '0'.repeat(64))).rejects.toMatchObject({ code: 'BLOB_MISSING' })
  })
})

describe('nodeJson', () => {
  const base: Node = { name: Buffer.from('f'), type: 'file', mode: 0o644, uid: 1, gid: 2, size: 3, mtimeS: 0, mtimeNs: 5, ctimeS: -1, ctimeNs: 0, inode: 7, links: 1 }

  test('tells bytes that are no text twice, and what a node may have besides', () => {
    const json = nodeJson({
      ...base, name: Uint8Array.of(0xff), inode: 1n << 60n, atime: { s: 1, ns: 2 },
      xattrs: [{ name: Buffer.from('user.x'), value: Uint8Array.of(0, 255) }], extents: [{ offset: 0, length: 3 }],
    })
    expect(JSON.parse(JSON.stringify(json))).toEqual({
      name: '\\xff', name_b64: '/w==', type: 'file', mode: '0644', uid: 1, gid: 2, size: 3, links: 1, inode: '1152921504606846976',
      mtime: '1970-01-01T00:00:00.000000005Z', ctime: '1969-12-31T23:59:59.000000000Z', atime: '1970-01-01T00:00:01.000000002Z',
      xattrs: [{ name: 'user.x', value_b64: 'AP8=' }], extents: [{ offset: 0, length: 3 }],
    })
  })

  test('tells times that no calendar of the language reaches', () => {
    expect(nodeJson({ ...base, mtimeS: Number.MAX_SAFE_INTEGER })['mtime']).toMatch(/^\+\d+-/)
  })
})
