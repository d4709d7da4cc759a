import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { networkFileSystem, networkKind } from '../../src/backend/network-folder.ts'

const FUSE = 0x65735546
const MOUNTS = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt rw - fuse.mergerfs a:b rw
31 30 0:41 / /mnt/far rw,nosuid shared:3 master:1 - fuse.sshfs me@there:/ rw,user_id=0
32 30 0:42 / /mnt/with\\040space rw - fuse.rclone remote: rw
33 30 8:1 / /mnt/disk rw - fuseblk /dev/sda1 rw
34 30 0:43 / /mnt/over rw - fuse.sshfs x rw
35 30 0:44 / /mnt/over rw - fuse.gocryptfs y rw
`

describe('the kind of file system under a path', () => {
  test.each<[string, number, string | undefined]>([
    ['NFS', 0x6969, 'NFS'],
    ['CIFS', 0xff534d42, 'CIFS'],
    ['SMB2', 0xfe534d42, 'SMB2'],
    ['9p', 0x01021997, '9p'],
    ['ext4', 0xef53, undefined],
    ['btrfs', 0x9123683e, undefined],
    ['XFS', 0x58465342, undefined],
    ['tmpfs', 0x01021994, undefined],
    ['ZFS', 0x2fc12fc1, undefined],
    ['overlayfs', 0x794c7630, undefined],
  ])('%s is known by its number', (_name, magic, kind) => {
    expect(networkKind(magic, MOUNTS, '/mnt/far')).toBe(kind)
  })

  test.each<[string, string | undefined]>([
    ['/mnt/far', 'fuse.sshfs'],
    ['/mnt/far/deep/below', 'fuse.sshfs'],
    ['/mnt/farther', undefined],
    ['/mnt/with space/repo', 'fuse.rclone'],
    ['/mnt/disk/repo', undefined],
    ['/mnt/over/repo', undefined],
    ['/mnt', undefined],
  ])('of FUSE is known by the mount of %s', (path, kind) => {
    expect(networkKind(FUSE, MOUNTS, path)).toBe(kind)
  })

  test('of FUSE without a table of mounts counts as far away', () => {
    expect(networkKind(FUSE, '', '/mnt')).toBe('fuse')
  })

  test.skipIf(process.platform !== 'linux')('is asked of the nearest folder that is there', async () => {
    expect(await networkFileSystem('/proc')).toBeUndefined()
    expect(await networkFileSystem(join(tmpdir(), 'not', 'yet', 'there'))).toBe(await networkFileSystem(tmpdir()))
  })
})
