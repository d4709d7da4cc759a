/**
 * The LevelDB under a catalogue. LevelDB lets one process open a database, and two backups of one
 * machine must not wait for each other: databases are numbered, a process takes the first that is
 * free, and each stays warm for the next. Damaged ones are wiped, since all they hold can be read
 * from the repository again.
 */
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Level } from 'level'
import { BackupError, errnoOf, messageOf } from '../../util/errors.ts'
import { makeFolders } from './make-folders.ts'
import { tagCacheFolder } from './cache-folder.ts'

export type Database = Level<Uint8Array, Uint8Array>

export interface OpenedDatabase {
  readonly db: Database
  readonly path: string
  /** Why what stood there was wiped, if it was. */
  readonly wiped: string | undefined
}

const DATABASES_LIMIT = 64
const MIB = 1024 * 1024
/**
 * LevelDB maps each table that it has open, 2 MiB of them, and random ids touch every page. Five million
 * blobs are 135 tables: with all of them open the process has 400 MiB. So 80 stay open (ten are for
 * other files), and a larger catalogue pays with opening a table again now and then.
 */
const OPEN_FILES = 90

function databaseAt(path: string): Database {
  return new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Ids are random: a large block cache would hold little that is asked twice.
    cacheSize: 8 * MIB,
    writeBufferSize: 8 * MIB,
    maxOpenFiles: OPEN_FILES,
  })
}

/**
 * @param folder - the repository's folder in the cache, made where it is missing
 * @param prepare - reads what the catalogue needs; an error of it means damage
 */
export async function openDatabase<T>(folder: string, prepare: (db: Database) => Promise<T>): Promise<OpenedDatabase & { readonly prepared: T }> {
  await makeFolders(folder, 0o700).catch((cause: unknown) => {
    throw new BackupError('BACKEND_DENIED', `the cache folder ${folder} cannot be made: ${messageOf(cause)}; name another one with --cache-dir`, { cause, path: folder })
  })
  await tagCacheFolder(dirname(folder))
  for (let number = 0; number < DATABASES_LIMIT; number++) {
    const path = join(folder, `catalogue-${number}`)
    const opened = await tryOpen(path, prepare)
    if (opened !== undefined) return opened
  }
  throw new BackupError('BACKEND_FAILED', `all ${DATABASES_LIMIT} catalogues in ${folder} are in use`)
}

async function tryOpen<T>(path: string, prepare: (db: Database) => Promise<T>): Promise<(OpenedDatabase & { prepared: T }) | undefined> {
  let wiped: string | undefined
  for (let attempt = 0; ; attempt++) {
    const db = databaseAt(path)
    try {
      await db.open()
      return { db, path, wiped, prepared: await prepare(db) }
    } catch (error) {
      await db.close().catch(() => undefined)
      if (isLocked(error)) return undefined
      const system = systemCauseOf(error)
      if (attempt > 0 || system !== undefined) throw new BackupError('BACKEND_FAILED', `the catalogue ${path} cannot be opened: ${messageOf(system ?? error)}; name another folder with --cache-dir`, { cause: error, path })
      wiped = messageOf(error)
      await rm(path, { recursive: true, force: true })
    }
  }
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = []
  for (let at = error; at !== undefined && chain.length < 8; at = at instanceof Error ? at.cause : undefined) chain.push(at)
  return chain
}

function isLocked(error: unknown): boolean {
  return causes(error).some((cause) => errnoOf(cause) === 'LEVEL_LOCKED')
}

/** Faults of the disk, which wiping would not mend. */
function systemCauseOf(error: unknown): unknown {
  return causes(error).find((cause) => /No space left|Permission denied|Read-only file system|Input\/output error|Too many open files/.test(messageOf(cause)))
}
