/**
 * Whether a folder lies on a network file system. Most keep what nacre needs, link(2) that refuses a
 * name that is taken and lists that show what others have made, and some do only with the right
 * options or versions. A probe from one machine cannot tell, so whoever makes a repository is asked.
 *
 * Linux tells the kind of a file system by number, and for FUSE, where the number says nothing, by
 * the table of mounts.
 */
import { readFile, realpath, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errnoOf } from '../util/errors.ts'

const FUSE = 0x65735546
/** From linux/magic.h and the file systems' own sources. */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x517b, 'SMB'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x19830326, 'BeeGFS'],
  [0xaad7aaea, 'PanFS'],
  [0x20030528, 'OrangeFS'],
  [0x786f4256, 'vboxsf'],
])

/** FUSE file systems whose files lie on this machine's own disks. */
const LOCAL_FUSE: ReadonlySet<string> = new Set(['fuseblk', 'fuse.ntfs', 'fuse.ntfs-3g', 'fuse.lowntfs-3g', 'fuse.exfat', 'fuse.ext2', 'fuse.fuse-ext2', 'fuse.apfs', 'fuse.zfs', 'fuse.encfs', 'fuse.cryfs', 'fuse.gocryptfs', 'fuse.securefs', 'fuse.bindfs', 'fuse.mergerfs', 'fuse.unionfs', 'fuse.fuse-overlayfs'])

/**
 * What kind of network file system the path, or the nearest folder above it that is there, lies on;
 * undefined for a local one, and where the system does not tell.
 */
export async function networkFileSystem(path: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const folder = await nearest(resolve(path))
  const { type } = await statfs(folder)
  const mounts = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '')
  return networkKind(type >>> 0, mounts, folder)
}

/**
 * @param magic - the number that statfs gives
 * @param mountinfo - the text of /proc/self/mountinfo
 * @param path - absolute, and no link in it
 */
export function networkKind(magic: number, mountinfo: string, path: string): string | undefined {
  if (magic !== FUSE) return NETWORK.get(magic)
  const kind = mountKind(mountinfo, path) ?? 'fuse'
  return LOCAL_FUSE.has(kind) ? undefined : kind
}

/** The type of the innermost mount that holds the path; of two at one place the later covers the other. */
function mountKind(mountinfo: string, path: string): string | undefined {
  let best: { readonly length: number; readonly kind: string } | undefined
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = unescaped(before.split(' ')[4] ?? '')
    const kind = after.split(' ')[0] ?? ''
    const holds = point === '/' || path === point || path.startsWith(`${point}/`)
    if (point !== '' && holds && (best === undefined || point.length >= best.length)) best = { length: point.length, kind }
  }
  return best?.kind
}

/** The table is read as bytes; the path is made bytes likewise. */
function unescaped(point: string): string {
  const bytes = point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
  return Buffer.from(bytes, 'latin1').toString()
}

async function nearest(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '') || dirname(path) === path) throw error
    return nearest(dirname(path))
  }
}
