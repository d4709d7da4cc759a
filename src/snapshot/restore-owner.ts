/** Whose a restored file becomes: by name where the system knows the name, else by number. */
import { groupId, userId } from '../util/posix/owners.ts'
import type { TargetAttributes } from '../util/target-file.ts'
import type { Node } from './node.ts'

export function attributesOf(node: Node): TargetAttributes {
  const uid = (node.user === undefined ? undefined : userId(node.user)) ?? node.uid
  const gid = (node.group === undefined ? undefined : groupId(node.group)) ?? node.gid
  return { mode: node.mode, uid, gid, mtimeS: node.mtimeS, mtimeNs: node.mtimeNs }
}
