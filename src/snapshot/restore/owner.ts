/** What a restored file gets besides its bytes; its owner by name where the system knows the name, else by number. */
import { groupId, userId } from '../../util/posix/owners.ts'
import type { TargetAttributes } from '../../util/target-file.ts'
import type { Node } from '../node.ts'

/** @param clearsAcl - whether the folder that it is made in hands an ACL down */
export type NodeAttributes = (node: Node, clearsAcl: boolean) => TargetAttributes

export function nodeAttributes({ numericIds, noXattrs }: { readonly numericIds: boolean; readonly noXattrs: boolean }): NodeAttributes {
  const known = <T>(name: string | undefined, lookUp: (name: string) => T | undefined): T | undefined => (name === undefined || numericIds ? undefined : lookUp(name))
  return (node, clearsAcl) => ({
    mode: node.mode,
    uid: known(node.user, userId) ?? node.uid,
    gid: known(node.group, groupId) ?? node.gid,
    mtimeS: node.mtimeS,
    mtimeNs: node.mtimeNs,
    atimeS: node.atime?.s,
    atimeNs: node.atime?.ns,
    xattrs: noXattrs ? undefined : node.xattrs,
    clearsAcl: clearsAcl && !noXattrs,
    leavesXattrs: noXattrs,
  })
}
