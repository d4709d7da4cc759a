/**
 * Which list a folder has under each root tree, remembered in the catalogue. Every snapshot has a root
 * of its own, and so has each folder above the paths of a backup: without this, to ask a thousand
 * snapshots for one file is to open thousands of tree blobs that say nothing new. What is remembered
 * is an id for an id, so it is true for as long as it is there.
 */
import { seal } from '../../crypto/aead.ts'
import { deriveKey } from '../../crypto/derive.ts'
import { fromHex, toHex } from '../../util/bytes.ts'
import { readSealedRow } from '../../repository/catalogue/sealed-row.ts'
import type { Repository } from '../../repository/repository.ts'
import { joinPath } from '../../snapshot/source-paths.ts'

/** What a folder's list is under a root: its id, or `none` where there is no such folder. */
export type KnownList = Uint8Array | 'none'

export interface KnownFolders {
  get(root: Uint8Array): KnownList | undefined
  set(root: Uint8Array, list: KnownList): void
  /** Puts what was learnt into the catalogue. */
  remember(): void
}

const ID_BYTES = 32
const PAIR_BYTES = 2 * ID_BYTES
/** A row is rewritten whole. Beyond this, what was not asked for this time is left out of it. */
const PAIRS_MOST = 16_384
const NONE = new Uint8Array(ID_BYTES)

/** @param names - of the folder and those above it, from the root on */
export async function openKnownFolders(repository: Repository, names: readonly Uint8Array[]): Promise<KnownFolders> {
  const { keyring } = repository
  const { rows } = await repository.catalogue()
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue folders')
  const path = names.reduce<Uint8Array>(joinPath, Uint8Array.of(0x2f))
  // The row's name tells nobody the path.
  const name = deriveKey(key, keyring.repositoryId, `catalogue folder ${Buffer.from(path).toString('latin1')}`)
  const known = readSealedRow(key, name, rows.get('folder', name), pairsOf) ?? new Map<string, Uint8Array>()
  const asked = new Map<string, Uint8Array>()
  let isNew = false
  return {
    get(root) {
      const id = toHex(root)
      const list = known.get(id)
      if (list === undefined) return undefined
      asked.set(id, list)
      return isNone(list) ? 'none' : list
    },
    set(root, list) {
      isNew = true
      const id = toHex(root)
      asked.set(id, list === 'none' ? NONE : list)
      known.set(id, asked.get(id)!)
    },
    remember() {
      if (isNew) rows.put('folder', name, seal(key, bytesOf(known.size > PAIRS_MOST ? asked : known), name))
    },
  }
}

function isNone(list: Uint8Array): boolean {
  return list.every((byte) => byte === 0)
}

function pairsOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const known = new Map<string, Uint8Array>()
  for (let at = 0; at + PAIR_BYTES <= bytes.length; at += PAIR_BYTES) known.set(toHex(bytes.subarray(at, at + ID_BYTES)), bytes.subarray(at + ID_BYTES, at + PAIR_BYTES))
  return known
}

function bytesOf(pairs: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(pairs.size * PAIR_BYTES)
  let at = 0
  for (const [root, list] of pairs) {
    bytes.set(fromHex(root), at)
    bytes.set(list, at + ID_BYTES)
    at += PAIR_BYTES
  }
  return bytes
}
