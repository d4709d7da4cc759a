/** Extended attributes and ACLs, made and looked at by the system's own programs. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { walked } from '../support/walker.ts'
import { snapshotPlace } from './place.ts'

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' })
const isRoot = process.getuid?.() === 0

describe('extended attributes', () => {
  test('come back with every file that has them, and with those that have none nothing is invented', async () => {
    await using at = await snapshotPlace()
    const path = (name: string): string => join(at.source, name)
    for (const name of ['plain', 'one', 'many', 'binary', 'large', 'empty value', 'raw name']) writeFileSync(path(name), name)
    run('setfattr', '-n', 'user.comment', '-v', 'a word', path('one'))
    for (let i = 0; i < 40; i++) run('setfattr', '-n', `user.number-${i}`, '-v', `${i}`.repeat(i), path('many'))
    run('setfattr', '-n', 'user.binary', '-v', '0x00ff0a00', path('binary'))
    run('setfattr', '-n', 'user.large', '-v', `0x${'ab'.repeat(2500)}`, path('large'))
    run('setfattr', '-n', 'user.empty', path('empty value'))
    run('setfattr', '-n', 'user.\u00fc\u{1f41a}', '-v', 'x', path('raw name'))
    mkdirSync(path('folder'))
    run('setfattr', '-n', 'user.folder', '-v', 'too', path('folder'))
    const before = walked(at.source)
    expect(before.filter((line) => line.includes('user.'))).toHaveLength(7)
    await at.save()
    const restored = await at.restoreSource()
    expect(restored).toMatchObject({ problems: [], warnings: 0 })
    expect(walked(restored.target)).toEqual(before)
  })

  test('that are set later are seen by the next backup, and so are those taken away', async () => {
    await using at = await snapshotPlace()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(at.source, name), name)
    mkdirSync(join(at.source, 'folder'))
    run('setfattr', '-n', 'user.old', '-v', 'old', join(at.source, 'b'))
    await at.save()
    run('setfattr', '-n', 'user.new', '-v', 'new', join(at.source, 'a'))
    run('setfattr', '-x', 'user.old', join(at.source, 'b'))
    run('setfattr', '-n', 'user.new', '-v', 'new', join(at.source, 'folder'))
    const second = await at.save()
    expect(second.summary).toMatchObject({ filesChanged: 2, filesUnmodified: 1 })
    expect(walked((await at.restoreSource()).target)).toEqual(walked(at.source))
    // And a third, in which nothing has changed, keeps them.
    expect((await at.save()).summary).toMatchObject({ filesUnmodified: 3 })
    expect(walked((await at.restoreSource()).target)).toEqual(walked(at.source))
  })

  test.skipIf(!isRoot)('of root come back too: capabilities after the owner, trusted ones, those of links and devices', async () => {
    await using at = await snapshotPlace()
    const program = join(at.source, 'program')
    writeFileSync(program, 'x')
    chmodSync(program, 0o755)
    run('chown', '1:1', program)
    run('setcap', 'cap_net_raw=ep', program)
    run('setfattr', '-n', 'trusted.secret', '-v', 'value', program)
    symlinkSync('nowhere', join(at.source, 'link'))
    run('setfattr', '-h', '-n', 'trusted.link', '-v', 'of a link', join(at.source, 'link'))
    run('mknod', join(at.source, 'device'), 'c', '1', '3')
    run('setfattr', '-n', 'trusted.device', '-v', 'of a device', join(at.source, 'device'))
    const before = walked(at.source)
    expect(before.join()).toMatch(/security\.capability/)
    await at.save()
    const restored = await at.restoreSource()
    expect(restored).toMatchObject({ problems: [], warnings: 0 })
    expect(walked(restored.target)).toEqual(before)
    expect(run('getcap', join(restored.target, 'program'))).toContain('cap_net_raw=ep')
  })
})

describe('access lists', () => {
  test('come back with the mode that they are a part of, default ones of folders too', async () => {
    await using at = await snapshotPlace()
    writeFileSync(join(at.source, 'file'), 'x')
    run('setfacl', '-m', 'u:7:rw,g:8:r,m::rwx', join(at.source, 'file'))
    mkdirSync(join(at.source, 'folder/below'), { recursive: true })
    run('setfacl', '-m', 'u:7:rwx', '-d', '-m', 'u:9:rwx', join(at.source, 'folder'))
    writeFileSync(join(at.source, 'folder/heir'), 'x')
    chmodSync(join(at.source, 'folder'), 0o2750)
    run('mkfifo', join(at.source, 'fifo'))
    run('setfacl', '-m', 'u:7:r', join(at.source, 'fifo'))
    const before = walked(at.source)
    expect(before.filter((line) => line.includes('posix_acl'))).toHaveLength(4)
    await at.save()
    const restored = await at.restoreSource()
    expect(restored).toMatchObject({ problems: [], warnings: 0 })
    expect(walked(restored.target)).toEqual(before)
  })

  test('that the target would hand down do not come over what is restored', async () => {
    await using at = await snapshotPlace()
    mkdirSync(join(at.source, 'folder/deeper'), { recursive: true })
    for (const name of ['file', 'folder/file', 'folder/deeper/file']) writeFileSync(join(at.source, name), name)
    symlinkSync('file', join(at.source, 'link'))
    run('mkfifo', join(at.source, 'folder/fifo'))
    mkdirSync(join(at.source, 'folder/with its own'))
    run('setfacl', '-d', '-m', 'u:9:rwx', join(at.source, 'folder/with its own'))
    writeFileSync(join(at.source, 'folder/with its own/heir'), 'x')
    const target = join(at.folder, 'handing')
    mkdirSync(target)
    run('setfacl', '-d', '-m', 'u:5:rwx', target)
    await at.save()
    const restored = await at.restoreSource(undefined, { target })
    expect(restored).toMatchObject({ problems: [], warnings: 0 })
    expect(walked(target)).toEqual(walked(at.source))
  })
})
