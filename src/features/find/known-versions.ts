/**
 * What stands at one path under each root tree, remembered in the catalogue: who asks for a file's
 * history once more reads nothing of the snapshots that were there the last time. A node for an id is
 * true for as long as it is there. Few paths are remembered, each in a place that another may take.
 */
import { asArray, asBytes, decodeCbor, encodeCbor } from '../../codec/cbor.ts'
import { seal } from '../../crypto/aead.ts'
import { deriveKey } from '../../crypto/derive.ts'
import { sha256 } from '../../crypto/hash.ts'
import { dataView, equalBytes, fromHex, toHex } from '../../util/bytes.ts'
import { readSealedRow } from '../../repository/catalogue/sealed-row.ts'
import type { Repository } from '../../repository/repository.ts'
import { type Node, nodeFromCbor, nodeToCbor } from '../../snapshot/node.ts'

/** `none` where nothing stands there. */
export type KnownVersion = Node | 'none'

export interface KnownVersions {
  /** The same object for the same node. */
  get(root: Uint8Array): KnownVersion | undefined
  set(root: Uint8Array, version: KnownVersion): void
  /** Puts what was asked for into the catalogue, if any of it is new. */
  remember(): void
}

const PLACES = 64
/** 36 bytes for each. */
const ROOTS_MOST = 16_384
const ROOT_BYTES = 32
const NONE = 0xffffffff

export async function openKnownVersions(repository: Repository, path: Uint8Array): Promise<KnownVersions> {
  const { keyring } = repository
  const { rows } = await repository.catalogue()
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue versions')
  const name = Buffer.from(`versions ${sha256(path)[0]! % PLACES}`)
  const known = readSealedRow(key, name, rows.get('folder', name), (bytes) => versionsOf(path, bytes)) ?? new Map<string, KnownVersion>()
  const asked = new Map<string, KnownVersion>()
  let isNew = false
  return {
    get(root) {
      const id = toHex(root)
      const version = known.get(id)
      if (version !== undefined) asked.set(id, version)
      return version
    },
    set(root, version) {
      const id = toHex(root)
      isNew ||= !asked.has(id)
      asked.set(id, version)
    },
    remember() {
      if (isNew && asked.size <= ROOTS_MOST) rows.put('folder', name, seal(key, rowOf(path, asked), name))
    },
  }
}

function rowOf(path: Uint8Array, versions: ReadonlyMap<string, KnownVersion>): Uint8Array {
  const roots = new Uint8Array(versions.size * ROOT_BYTES)
  const numbers = new Uint8Array(versions.size * 4)
  const encoded = new Map<string, number>()
  const nodes: Uint8Array[] = []
  let at = 0
  for (const [id, version] of versions) {
    roots.set(fromHex(id), at * ROOT_BYTES)
    dataView(numbers).setUint32(at++ * 4, version === 'none' ? NONE : numberOf(version), true)
  }
  return encodeCbor([path, roots, numbers, nodes])

  function numberOf(node: Node): number {
    const bytes = encodeCbor(nodeToCbor(node))
    const text = Buffer.from(bytes).toString('latin1')
    const number = encoded.get(text) ?? nodes.push(bytes) - 1
    encoded.set(text, number)
    return number
  }
}

/** Of another path none: its row may be in the place of this one's. */
function versionsOf(path: Uint8Array, bytes: Uint8Array): Map<string, KnownVersion> {
  const versions = new Map<string, KnownVersion>()
  const what = 'known versions'
  const fields = asArray(decodeCbor(bytes), what)
  if (!equalBytes(asBytes(fields[0], what), path)) return versions
  const roots = asBytes(fields[1], what)
  const numbers = dataView(asBytes(fields[2], what, (roots.length / ROOT_BYTES) * 4))
  const nodes = asArray(fields[3], what).map((node) => nodeFromCbor(decodeCbor(asBytes(node, what))))
  for (let at = 0; at * ROOT_BYTES < roots.length; at++) {
    const number = numbers.getUint32(at * 4, true)
    const version = number === NONE ? 'none' : nodes[number]
    if (version !== undefined) versions.set(toHex(roots.subarray(at * ROOT_BYTES, (at + 1) * ROOT_BYTES)), version)
  }
  return versions
}
