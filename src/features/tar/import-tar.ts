/**
 * A tar becomes a snapshot: contents are stored as they stream by, entries are sorted aside, and the
 * tree is made at the end. It is committed only when the tar has been read to its end.
 */
import { ZSTD_LEVEL_DEFAULT } from '../../codec/zstd.ts'
import { randomBytes } from '../../crypto/derive.ts'
import { keyedHash } from '../../crypto/hash.ts'
import { isUtf8 } from 'node:buffer'
import { toHex } from '../../util/bytes.ts'
import { monotonicMs, nowNs, zoneOffsetMinutes } from '../../util/clock.ts'
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { programVersion } from '../../util/version-file.ts'
import { openBlobStore, type BlobStore } from '../../repository/blob-store.ts'
import { probeOnce } from '../../repository/catalogue/probed.ts'
import { openSortedSpool } from '../../repository/catalogue/sorted-spool.ts'
import type { Person, Repository } from '../../repository/repository.ts'
import { beginSession, type Session } from '../../repository/session.ts'
import { saveTree } from '../../snapshot/archiver.ts'
import type { Node } from '../../snapshot/node.ts'
import { findLastOfHost, rememberLast, vanishedMessage } from '../../snapshot/last-of-host.ts'
import { markWhole } from '../../snapshot/parent.ts'
import { absolutePath } from '../../snapshot/select.ts'
import { encodeSnapshot, type SnapshotSummary } from '../../snapshot/snapshot.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { joinPath, splitPath } from '../../snapshot/source-paths.ts'
import { openSpooledContent } from '../../snapshot/spooled-content.ts'
import { createTreeAssembler, type TreeAssembler } from '../../snapshot/tree-assembler.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { rootNode } from '../../snapshot/tree-walk.ts'
import { readTar, type TarRecord } from './read-tar.ts'
import { createTarIndex, type TarIndex } from './tar-index.ts'
import { tarPath } from './tar-paths.ts'

export interface ImportTarOptions {
  readonly stream: AsyncIterable<Uint8Array>
  /** Absolute folder of the snapshot that the tar's names are below; `/` by default. */
  readonly below?: string | Uint8Array | undefined
  readonly person: Person
  readonly tags?: readonly string[] | undefined
  readonly label?: string | undefined
  readonly description?: string | undefined
  /** When the tar was made, if that counts; by default now. */
  readonly timeNs?: bigint | undefined
  readonly level?: number | null | undefined
  readonly threads: number
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: ImportTarEvent) => void) | undefined
}

export type ImportTarEvent =
  /** The tar has come to it. */
  | { readonly type: 'file'; readonly path: Uint8Array }
  /** So many bytes of a file are stored. */
  | { readonly type: 'bytes'; readonly bytes: number }
  /** One more of what is no folder is stored. */
  | { readonly type: 'done' }
  /** The import fails or was stopped, and packs of so many bytes that it stored are there for the next one. */
  | { readonly type: 'kept'; readonly bytes: number }

export interface ImportTarResult {
  readonly snapshotId: string
  readonly summary: SnapshotSummary
  readonly durationMs: number
}

/** @throws {BackupError} CORRUPT - no tar, or a hostile one: there is no snapshot then; SESSION_FENCED */
export async function importTar(repository: Repository, options: ImportTarOptions): Promise<ImportTarResult> {
  const started = monotonicMs()
  const startNs = options.timeNs ?? nowNs()
  await probeOnce(repository, options.signal)
  const session = await beginSession(repository, { person: options.person, kind: 'import', signal: options.signal })
  let isSettled = false
  try {
    const { tree, summary } = await storeTar(repository, session, options)
    const known = await loadSnapshots(repository, { gc: session.gc, marks: false, signal: options.signal })
    const last = await findLastOfHost(repository, options.person.host, known, session.gc, options.signal)
    for (const gone of last.vanished) repository.notice(vanishedMessage(options.person.host, gone))
    const sequence = last.sequence + 1
    const body = encodeSnapshot({
      tree, summary, startNs,
      paths: [absolutePath(options.below ?? '/')],
      ...options.person,
      tags: options.tags ?? [],
      label: options.label ?? '',
      description: options.description ?? '',
      endNs: nowNs(),
      zoneMinutes: zoneOffsetMinutes(startNs),
      skippedCount: 0,
      skipped: [],
      program: programVersion(),
      sequence,
      previous: last.id,
    })
    const outcome = await session.commit(body)
    isSettled = true
    if (outcome === 'fenced') throw new BackupError('SESSION_FENCED', 'a prune has closed the session meanwhile; nothing is lost, import the tar again when the prune is over', { retryable: true })
    await markWhole(repository, session.sid)
    await rememberLast(repository, options.person.host, { name: session.name, sequence }, last)
    return { snapshotId: session.sid, summary, durationMs: monotonicMs() - started }
  } finally {
    if (!isSettled) await session.abandon().catch(() => undefined)
  }
}

async function storeTar(repository: Repository, session: Session, options: ImportTarOptions): Promise<{ tree: Uint8Array; summary: SnapshotSummary }> {
  const trees = await openTreeReader(repository)
  await using store = await openBlobStore(repository, session, { threads: options.threads, level: options.level === null ? undefined : (options.level ?? ZSTD_LEVEL_DEFAULT), verifyFraction: 1, dryRun: false, signal: options.signal })
  try {
    return await storeWith(store, trees, repository, options)
  } catch (error) {
    const bytes = await store.keepStored()
    if (bytes > 0) options.onEvent?.({ type: 'kept', bytes })
    throw error
  }
}

async function storeWith(store: BlobStore, trees: TreeReader, repository: Repository, options: ImportTarOptions): Promise<{ tree: Uint8Array; summary: SnapshotSummary }> {
  const save = (blob: Uint8Array): Uint8Array => saveTree(store, trees, blob)
  const aside = `${repository.cacheFolder}/import-${toHex(randomBytes(8))}`
  await using spool = await openSortedSpool(`${aside}-index`)
  const index = createTarIndex(spool)
  await takeIn(store, save, aside, index, options)
  const assembler = createTreeAssembler(trees, keyedHash(repository.keyring.blobId(repository.keyring.group, 'tree')), save)
  const counts = await assemble(assembler, index, splitPath(absolutePath(options.below ?? '/')), options.signal)
  await store.flush()
  const summary = { filesNew: counts.files, filesChanged: 0, filesUnmodified: 0, totalFiles: counts.files, totalBytes: counts.bytes, dataAdded: store.added.plainBytes, dataAddedStored: store.added.storedBytes }
  return { tree: assembler.root!, summary }
}

async function takeIn(store: BlobStore, saveTree: (blob: Uint8Array) => Uint8Array, aside: string, index: TarIndex, options: ImportTarOptions): Promise<void> {
  await using contents = openSpooledContent(store, saveTree, aside)
  let inode = 0
  const put = async (names: readonly Uint8Array[], node: Node): Promise<void> => {
    await index.put(names, node)
    if (node.type === 'file') options.onEvent?.({ type: 'bytes', bytes: node.size })
    if (node.type !== 'directory') options.onEvent?.({ type: 'done' })
  }
  for await (const record of readTar(options.stream)) {
    throwIfAborted(options.signal)
    const names = tarPath(record.name, 'name')
    options.onEvent?.({ type: 'file', path: record.name })
    if (record.type === 'file') {
      if (names.length === 0) throw new BackupError('CORRUPT', 'the tar holds a file without a name; nothing was imported')
      await contents.add(names, nodeOf(names, record, ++inode), record.content, put)
      continue
    }
    // Whatever comes later counts, so what came before is put down first.
    await contents.flush()
    if (record.type === 'link') {
      await index.link(names, tarPath(record.target, 'link'), record.target)
      options.onEvent?.({ type: 'done' })
    } else if (names.length > 0) await put(names, nodeOf(names, record, ++inode))
    else if (record.type !== 'directory') throw new BackupError('CORRUPT', 'the tar holds something without a name; nothing was imported')
  }
  await contents.flush()
}

function nodeOf(names: readonly Uint8Array[], record: TarRecord, inode: number): Node {
  const { header, mtime } = record
  if (record.type === 'link') throw new TypeError('a hard link has no node of its own')
  if (record.type === 'symlink' && (record.target.length === 0 || record.target.includes(0))) throw new BackupError('CORRUPT', `the tar holds the link ${escapeBytes(record.name)} without a target; nothing was imported`)
  const isDevice = record.type === 'block' || record.type === 'character'
  return {
    name: names.at(-1)!,
    type: record.type,
    mode: header.mode,
    uid: header.uid,
    gid: header.gid,
    user: ownerName(header.user),
    group: ownerName(header.group),
    size: record.size,
    mtimeS: mtime.s,
    mtimeNs: mtime.ns,
    ctimeS: mtime.s,
    ctimeNs: mtime.ns,
    atime: record.atime,
    inode,
    links: 1,
    target: record.type === 'symlink' ? record.target : undefined,
    rdev: isDevice ? { major: header.major, minor: header.minor } : undefined,
    xattrs: record.xattrs.length > 0 ? record.xattrs : undefined,
    extents: record.extents,
  }
}

function ownerName(bytes: Uint8Array): string | undefined {
  return bytes.length > 0 && isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : undefined
}

/** Folders that the tar does not tell of are made as any would be. */
function plainFolder(name: Uint8Array): Node {
  return { ...rootNode(new Uint8Array(0)), name, subtree: undefined, inode: 0 }
}

async function assemble(assembler: TreeAssembler, index: TarIndex, below: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<{ files: number; bytes: number }> {
  const open: Uint8Array[] = []
  const counts = { files: 0, bytes: 0 }
  let lastFile: readonly Uint8Array[] = []
  const leaveTo = async (depth: number): Promise<void> => {
    for (; open.length > depth; open.pop()) await assembler.leave(false, false, false)
  }
  const enter = (node: Node): void => {
    assembler.enter(node, undefined)
    open.push(node.name)
  }
  assembler.enter({ ...plainFolder(new Uint8Array(0)) }, undefined)
  for (const name of below) enter(plainFolder(name))
  for await (const { names, node } of index.entries()) {
    throwIfAborted(signal)
    if (lastFile.length > 0 && names.length > lastFile.length && startsWith(names, lastFile)) {
      throw new BackupError('CORRUPT', `the tar puts something below ${escapeBytes(names.slice(0, lastFile.length).reduce(joinPath, new Uint8Array(0)))}, which is no folder in it; nothing was imported`)
    }
    const path = [...below, ...names]
    let shared = below.length
    while (shared < Math.min(open.length, path.length - 1) && Buffer.compare(open[shared]!, path[shared]!) === 0) shared++
    await leaveTo(shared)
    for (const name of path.slice(open.length, -1)) enter(plainFolder(name))
    if (node.type === 'directory') {
      enter(node)
      continue
    }
    lastFile = names
    counts.files++
    counts.bytes += node.size
    await assembler.add(node)
  }
  await leaveTo(0)
  await assembler.leave(false, false, false)
  return counts
}

function startsWith(names: readonly Uint8Array[], beginning: readonly Uint8Array[]): boolean {
  return beginning.every((name, i) => Buffer.compare(name, names[i]!) === 0)
}
