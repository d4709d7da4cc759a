/** Tree blobs as they are decoded, the last ones used; who wants one that is on its way waits with the others. */
import { Lru } from '../../util/lru.ts'
import { decodeTreeBlob, type TreeBlob } from '../../snapshot/tree-blob.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'

export interface TreeCache {
  /** @throws {BackupError} BLOB_MISSING, CORRUPT, or what the storage says */
  blob(id: Uint8Array): Promise<TreeBlob>
}

/** What a decoded node takes in memory, measured at 5 to 9 times its encoding. */
const DECODED_FACTOR = 9

export function createTreeCache(trees: Pick<TreeReader, 'bytes'>, limitBytes: number): TreeCache {
  const decoded = new Lru<string, { readonly blob: TreeBlob; readonly bytes: number }>(limitBytes, ({ bytes }) => bytes)
  const coming = new Map<string, Promise<TreeBlob>>()

  const load = async (key: string, id: Uint8Array): Promise<TreeBlob> => {
    const bytes = await trees.bytes(id)
    const blob = decodeTreeBlob(bytes)
    decoded.set(key, { blob, bytes: bytes.length * ('records' in blob ? 2 : DECODED_FACTOR) })
    return blob
  }

  return {
    async blob(id) {
      const key = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1')
      const known = decoded.get(key)
      if (known !== undefined) return known.blob
      const loading = coming.get(key) ?? load(key, id).finally(() => coming.delete(key))
      coming.set(key, loading)
      return loading
    },
  }
}
