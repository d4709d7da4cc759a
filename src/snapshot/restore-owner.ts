/** What a restored file gets besides its bytes; its owner by name where the system knows the name, else by number. */
import { groupId, userId } from '../util/posix/owners.ts'
import type { TargetAttributes } from '../util/target-file.ts'
import type { Node } from './node.ts'

/** @param clearsAcl - whether the folder that it is made in hands an ACL down */
export function attributesOf(node: Node, clearsAcl = false): TargetAttributes {
  const uid = (node.user === undefined ? undefined : userId(node.user)) ?? node.uid
  const gid = (node.group === undefined ? undefined : groupId(node.group)) ?? node.gid
  return { mode: node.mode, uid, gid, mtimeS: node.mtimeS, mtimeNs: node.mtimeNs, xattrs: node.xattrs, clearsAcl }
}
