/** When two nodes of one path are the same version of it. */
import type { Node } from '../../snapshot/node.ts'

/**
 * The same for nodes that hold the same bytes and were modified at the same time. Of a folder, what
 * is in it does not count, nor its time, which follows from that.
 */
export function versionKey(node: Node): string {
  const time = node.type === 'directory' ? '' : `${node.mtimeS}.${node.mtimeNs}`
  const device = node.rdev === undefined ? '' : `${node.rdev.major}:${node.rdev.minor}`
  return [node.type, node.size, time, device, latin1(node.target), latin1(contentOf(node)), node.extents === undefined ? '' : JSON.stringify(node.extents)].join('\0')
}

function contentOf({ content }: Node): Uint8Array | undefined {
  return content?.kind === 'list' ? content.root : content?.records
}

function latin1(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
