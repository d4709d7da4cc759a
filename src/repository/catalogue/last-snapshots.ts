/**
 * What this machine remembers of its own last snapshots, so that one that has vanished from the
 * storage is missed. It stands beside the catalogues and not in them: they may be cleared at any time
 * and cost only time, while this cannot be learnt from the repository again.
 *
 * Each snapshot is an empty file, `<host>.<group>.<sid>.<sequence>`, the host being a keyed hash that
 * tells a thief of the cache nothing. A file is made when its snapshot is committed, and those that
 * were known before are taken away only then. So nothing is ever rewritten: a crash leaves one too
 * many, and two processes at once leave both. Nothing is synced: after a power cut an older one may stand
 * there, which serves nearly as well.
 */
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deriveKey } from '../../crypto/derive.ts'
import { sha256 } from '../../crypto/hash.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { makeFolders } from './make-folders.ts'
import { errnoOf } from '../../util/errors.ts'
import type { Repository } from '../repository.ts'

export interface RememberedSnapshot {
  /** `<group>/<sid>` */
  readonly name: string
  readonly sequence: number
}

const FOLDER = 'last'
const FILE = /^([0-9a-f]{32})\.(\d{1,10})\.([0-9a-f]{32})\.(\d{1,15})$/

type Place = Pick<Repository, 'keyring' | 'cacheFolder'>

/** @throws the system's error when the folder is there and cannot be read */
export async function rememberedSnapshots(repository: Place, host: string): Promise<RememberedSnapshot[]> {
  const wanted = hostKey(repository, host)
  const found: RememberedSnapshot[] = []
  for (const file of await names(join(repository.cacheFolder, FOLDER))) {
    const [, key, group, sid, sequence] = FILE.exec(file) ?? []
    if (key === wanted) found.push({ name: `${group}/${sid}`, sequence: Number(sequence) })
  }
  return found
}

/** @param instead - what was remembered before and may be forgotten once this one is */
export async function rememberSnapshot(repository: Place, host: string, last: RememberedSnapshot, instead: readonly RememberedSnapshot[]): Promise<void> {
  const folder = join(repository.cacheFolder, FOLDER)
  const key = hostKey(repository, host)
  await makeFolders(folder, 0o700)
  await writeFile(join(folder, fileOf(key, last)), '', { mode: 0o600 })
  for (const old of instead) if (old.name !== last.name) await rm(join(folder, fileOf(key, old)), { force: true })
}

function fileOf(key: string, { name, sequence }: RememberedSnapshot): string {
  return `${key}.${name.replace('/', '.')}.${sequence}`
}

function hostKey({ keyring }: Place, host: string): string {
  return toHex(deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, `last snapshot of host ${toHex(sha256(utf8(host)))}`, 16))
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
