/** From what the system says of a file to a node, and whether a node still describes the file. */
import { groupName, userName } from '../util/posix/owners.ts'
import type { FileStat } from '../util/posix/stat.ts'
import type { FileTraits, Node } from './node.ts'

/** Numbers devices in the order in which a snapshot meets them, the parent's numbers first. */
export interface DeviceNumbers {
  of(device: number, parent: Node | undefined): number
}

export function createDeviceNumbers(): DeviceNumbers {
  const numbers = new Map<number, number>()
  const taken = new Set<number>()
  return {
    of(device, parent) {
      const known = numbers.get(device)
      if (known !== undefined) return known
      let number = parent?.device ?? taken.size
      while (taken.has(number)) number++
      taken.add(number)
      numbers.set(device, number)
      return number
    },
  }
}

/** A node without content, subtree, target or extended attributes. */
export function nodeOfStat(name: Uint8Array, stat: FileStat, parent: Node | undefined, devices: DeviceNumbers, withAtime = false): Node {
  const isDevice = stat.type === 'block' || stat.type === 'character'
  return {
    name,
    type: stat.type,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    user: userName(stat.uid),
    group: groupName(stat.gid),
    size: stat.type === 'file' ? stat.size : 0,
    mtimeS: stat.mtimeS,
    mtimeNs: stat.mtimeNs,
    ctimeS: stat.ctimeS,
    ctimeNs: stat.ctimeNs,
    atime: withAtime ? { s: stat.atimeS, ns: stat.atimeNs } : undefined,
    inode: stat.inode,
    links: stat.links,
    // Where nothing is linked the device says nothing, and it changes at every mount of some.
    device: stat.links > 1 && stat.type !== 'directory' ? devices.of(stat.device, parent) : undefined,
    rdev: isDevice ? { major: stat.rdevMajor, minor: stat.rdevMinor } : undefined,
  }
}

/**
 * Whether the file is, by all that its inode tells, the one that the node was made of. A change of
 * owner, mode or links changes ctime, so nothing else need be compared.
 */
export function isUnchanged(node: FileTraits, stat: FileStat): boolean {
  return (
    node.type === stat.type &&
    node.mtimeNs === stat.mtimeNs &&
    node.mtimeS === stat.mtimeS &&
    node.ctimeNs === stat.ctimeNs &&
    node.ctimeS === stat.ctimeS &&
    node.inode === stat.inode &&
    (stat.type !== 'file' || node.size === stat.size)
  )
}

/** What of a file may differ without its content counting as changed. */
export interface Tolerance {
  readonly ignoreInode?: boolean | undefined
  readonly ignoreCtime?: boolean | undefined
}

/** Whether, by what is trusted, the content is still the node's. */
export function hasSameContent(node: FileTraits, stat: FileStat, tolerance: Tolerance): boolean {
  return (
    node.type === 'file' &&
    stat.type === 'file' &&
    node.size === stat.size &&
    node.mtimeNs === stat.mtimeNs &&
    node.mtimeS === stat.mtimeS &&
    (tolerance.ignoreCtime === true || (node.ctimeNs === stat.ctimeNs && node.ctimeS === stat.ctimeS)) &&
    (tolerance.ignoreInode === true || node.inode === stat.inode)
  )
}

export function hasSameAtime(node: Node, stat: FileStat): boolean {
  return node.atime !== undefined && node.atime.s === stat.atimeS && node.atime.ns === stat.atimeNs
}
