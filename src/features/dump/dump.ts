/**
 * A file of a snapshot as its bytes, or a folder as a tar or a zip, as a stream: in order, with
 * bounded memory, and never with other bytes than were stored: what cannot be read ends it.
 */
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { dumpItems, type DumpItem, type OnLeftOut } from './dump-items.ts'
import { encodeTarEntry, hasTarType, tarEnd, tarPadding } from './tar-entry.ts'
import { zipOf } from './zip-writer.ts'

export type DumpFormat = 'tar' | 'zip'

export interface DumpOptions {
  readonly onLeftOut?: OnLeftOut | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The bytes of one file.
 * @throws {BackupError} PATH_NOT_FOUND; INVALID_ARGUMENT - no file is there; BLOB_MISSING, CORRUPT
 */
export async function* dumpFile(repository: Repository, snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array, options: DumpOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const item of dumpItems(repository, snapshot, path, { fillsHoles: true, signal: options.signal })) {
    if (item.kind === 'entry' && item.entry.node.type !== 'file') throw new BackupError('INVALID_ARGUMENT', `${escapeBytes(path)} is a ${item.entry.node.type}, not a file`)
    if (item.kind === 'data') yield* item.bytes
  }
}

/**
 * A folder with all that is below it, under names relative to it, or one file under its own name.
 * @param path - undefined is the snapshot's root
 * @throws {BackupError} PATH_NOT_FOUND, BLOB_MISSING, CORRUPT
 */
export async function* dumpTree(repository: Repository, snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array | undefined, format: DumpFormat, options: DumpOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const onLeftOut = options.onLeftOut ?? (() => undefined)
  const items = dumpItems(repository, snapshot, path, { fillsHoles: format === 'zip', signal: options.signal })
  yield* format === 'tar' ? tarOf(items, onLeftOut) : zipOf(items, onLeftOut)
}

async function* tarOf(items: AsyncIterable<DumpItem>, onLeftOut: OnLeftOut): AsyncGenerator<Uint8Array, void, undefined> {
  let written = 0
  let padding = new Uint8Array(0)
  for await (const item of items) {
    if (item.kind === 'data') for (const bytes of item.bytes) yield bytes
    else if (item.kind === 'end') yield padding
    else {
      const { name, node } = item.entry
      padding = new Uint8Array(0)
      if (!hasTarType(node)) {
        onLeftOut(name, 'a tar cannot hold a socket')
        continue
      }
      const { head, contentBytes } = encodeTarEntry({ ...item.entry, node })
      padding = new Uint8Array(tarPadding(contentBytes))
      written += head.length + contentBytes + padding.length
      yield head
    }
  }
  yield tarEnd(written)
}
