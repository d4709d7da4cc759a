/**
 * What a storage was found to do, by the way that leads to it: a note in the cache and not in the
 * repository, since another mount, gateway or server of the same storage may keep other promises.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../crypto/hash.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { makeFolders } from './make-folders.ts'

export interface ProbeRecord {
  readonly location: string
  /** Why it creates nothing only if absent; null where it does. */
  readonly unguarded: string | null
  /** When it was tried, by RFC 3339. */
  readonly time: string
}

/** @param folder - the repository's folder in the cache */
export async function readProbeRecord(folder: string, location: string): Promise<ProbeRecord | undefined> {
  try {
    const { unguarded, time } = JSON.parse(await readFile(pathOf(folder, location), 'utf8')) as Partial<ProbeRecord>
    return { location, unguarded: typeof unguarded === 'string' ? unguarded : null, time: typeof time === 'string' ? time : '' }
  } catch {
    return undefined
  }
}

/** A cache that takes no file still serves: the storage is tried again next time. */
export async function writeProbeRecord(folder: string, record: ProbeRecord): Promise<void> {
  const path = pathOf(folder, record.location)
  await makeFolders(join(folder, FOLDER), 0o700).then(() => writeFile(path, `${JSON.stringify(record)}\n`, { mode: 0o600 })).catch(() => undefined)
}

/** It does not hold any more. */
export async function removeProbeRecord(folder: string, location: string): Promise<void> {
  await rm(pathOf(folder, location), { force: true }).catch(() => undefined)
}

const FOLDER = 'probed'

function pathOf(folder: string, location: string): string {
  return join(folder, FOLDER, toHex(sha256(utf8(location))).slice(0, 32))
}
