/** What single objects say, as plain data: for people who look inside and for programs. */
import { textFields } from '../util/text-bytes.ts'
import { formatTime } from '../util/time-text.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import type { ObjectType } from '../backend/backend.ts'
import { openBlobReader } from '../repository/blob-reader.ts'
import { decodeIndex } from '../repository/index-object.ts'
import { loadReadableIndex, trustedWriters } from '../repository/index-loader.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { loadPackEntry } from '../repository/pack-directory.ts'
import { blobEntries, type FrameEntry, type PackDirectory } from '../repository/pack-entry.ts'
import type { Repository } from '../repository/repository.ts'
import { contentBlobs } from '../snapshot/content.ts'
import type { Node } from '../snapshot/node.ts'
import type { Skipped, Snapshot } from '../snapshot/snapshot.ts'
import { decodeTreeBlob } from '../snapshot/tree-blob.ts'
import { listKeys } from './keys.ts'

export type Json = Record<string, unknown>

export function catConfig(repository: Repository): Json {
  const { config } = repository
  return {
    repository_id: repository.id,
    version: 1,
    created: formatTime(config.createdNs, 0),
    program: config.program,
    chunker: 'fastcdc',
    chunk_min: config.chunker.minBytes,
    chunk_average: config.chunker.averageBytes,
    chunk_max: config.chunker.maxBytes,
    frame_bytes: config.frameBytes,
    pack_bytes: config.packBytes,
    required_features: config.requiredFeatures,
    optional_features: config.optionalFeatures,
    object_lock: config.objectLock === undefined ? null : { mode: config.objectLock.mode, seconds: config.objectLock.spanMs / 1000 },
  }
}

export function snapshotJson(snapshot: Snapshot): Json {
  const { summary } = snapshot
  return {
    id: snapshot.id,
    short_id: snapshot.id.slice(0, 8),
    time: formatTime(snapshot.startNs, snapshot.zoneMinutes),
    end_time: formatTime(snapshot.endNs, snapshot.zoneMinutes),
    host: snapshot.host,
    user: snapshot.user,
    paths: snapshot.paths.map((path) => textFields('path', path)['path']),
    ...(snapshot.paths.some((path) => 'path_b64' in textFields('path', path)) ? { paths_b64: snapshot.paths.map((path) => Buffer.from(path).toString('base64')) } : {}),
    tags: snapshot.tags,
    label: snapshot.label,
    description: snapshot.description,
    pinned: snapshot.pin !== undefined,
    keep_until: typeof snapshot.pin === 'bigint' ? formatTime(snapshot.pin, snapshot.zoneMinutes) : null,
    ...(snapshot.forgotten === undefined ? {} : { forgotten: { time: formatTime(snapshot.forgotten.timeNs, 0), host: snapshot.forgotten.host, user: snapshot.forgotten.user } }),
    parent: snapshot.parent ?? null,
    tree: toHex(snapshot.tree),
    program: snapshot.program,
    sequence: snapshot.sequence,
    previous: snapshot.previous ?? null,
    ...(snapshot.repairedFrom === undefined ? {} : { repaired_from: snapshot.repairedFrom }),
    skipped: snapshot.skippedCount,
    summary: {
      files_new: summary.filesNew,
      files_changed: summary.filesChanged,
      files_unmodified: summary.filesUnmodified,
      total_files: summary.totalFiles,
      total_bytes: summary.totalBytes,
      data_added: summary.dataAdded,
      data_added_stored: summary.dataAddedStored,
    },
  }
}

/** All that a snapshot's record says, with what stands in it of the files that were skipped. */
export function catSnapshot(snapshot: Snapshot): Json {
  return {
    ...snapshotJson(snapshot),
    skipped_files: snapshot.skipped.map(skippedJson),
    ...(snapshot.skippedAll === undefined ? {} : { skipped_all: contentJson(snapshot.skippedAll) }),
  }
}

export function skippedJson(skipped: Skipped): Json {
  return { ...textFields('path', skipped.path), reason: skipped.reason, message: skipped.message }
}

export function nodeJson(node: Node): Json {
  return {
    ...textFields('name', node.name),
    type: node.type,
    mode: `0${node.mode.toString(8)}`,
    uid: node.uid,
    gid: node.gid,
    ...(node.user === undefined ? {} : { user: node.user }),
    ...(node.group === undefined ? {} : { group: node.group }),
    ...(node.type === 'file' ? { size: node.size } : {}),
    mtime: formatTime(BigInt(node.mtimeS) * 1_000_000_000n + BigInt(node.mtimeNs), 0),
    ctime: formatTime(BigInt(node.ctimeS) * 1_000_000_000n + BigInt(node.ctimeNs), 0),
    ...(node.atime === undefined ? {} : { atime: formatTime(BigInt(node.atime.s) * 1_000_000_000n + BigInt(node.atime.ns), 0) }),
    inode: typeof node.inode === 'bigint' ? String(node.inode) : node.inode,
    links: node.links,
    ...(node.target === undefined ? {} : textFields('target', node.target)),
    ...(node.rdev === undefined ? {} : { device: `${node.rdev.major}:${node.rdev.minor}` }),
    ...(node.xattrs === undefined ? {} : { xattrs: node.xattrs.map((attribute) => ({ ...textFields('name', attribute.name), value_b64: Buffer.from(attribute.value).toString('base64') })) }),
    ...(node.extents === undefined ? {} : { extents: node.extents }),
    ...(node.subtree === undefined ? {} : { subtree: toHex(node.subtree) }),
    ...(node.content === undefined ? {} : contentJson(node.content)),
  }
}

function contentJson(content: NonNullable<Node['content']>): Json {
  if (content.kind === 'list') return { content_list: toHex(content.root) }
  return { content: [...contentBlobs(content.records)].map((blob) => ({ id: toHex(blob.id), length: blob.length })) }
}

/** A tree blob, decoded. */
export async function catTree(repository: Repository, id: string): Promise<Json> {
  const blob = decodeTreeBlob(await loadBlob(repository, 'tree', id))
  const base = { id, kind: blob.kind, level: blob.level }
  if ('nodes' in blob) return { ...base, nodes: blob.nodes.map(nodeJson) }
  if ('records' in blob) return { ...base, blobs: [...contentBlobs(blob.records)].map((item) => ({ id: toHex(item.id), length: item.length })) }
  if (blob.kind === 'content') return { ...base, children: blob.children.map((child) => ({ id: toHex(child.id), bytes: child.bytes })) }
  return { ...base, children: blob.children.map((child) => ({ ...textFields('first_name', child.firstName), id: toHex(child.id) })) }
}

/** The bytes of a blob, of either type. */
export async function catBlob(repository: Repository, id: string): Promise<Uint8Array> {
  const { catalogue } = await loadReadableIndex(repository)
  const type = catalogue.locate(blobId(id))[0]?.blobType ?? 'data'
  return loadBlob(repository, type, id)
}

async function loadBlob(repository: Repository, type: 'data' | 'tree', id: string): Promise<Uint8Array> {
  await loadReadableIndex(repository)
  const reader = await openBlobReader(repository)
  return reader.load(type, blobId(id))
}

function blobId(id: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(id)) throw new BackupError('INVALID_ARGUMENT', `"${id}" is no id of a blob: it has 64 hexadecimal digits`)
  return fromHex(id)
}

/** What a pack says of itself; the index is not asked. */
export async function catPack(repository: Repository, prefix: string): Promise<Json> {
  const { name, sizeBytes } = await findObject(repository, 'packs', prefix)
  const { group, entry } = await loadPackEntry(repository, name, sizeBytes)
  return { id: name, size: sizeBytes, group, session: toHex(entry.session), ...directoryJson(entry) }
}

function directoryJson(directory: PackDirectory): Json {
  const blobs = new Map<FrameEntry, Json[]>(directory.frames.map((frame) => [frame, []]))
  for (const blob of blobEntries(directory)) blobs.get(blob.frame)!.push({ id: toHex(blob.id), length: blob.length })
  return {
    frames: directory.frames.map((frame) => ({
      offset: frame.offset,
      stored: frame.storedBytes,
      plain: frame.plainBytes,
      type: frame.blobType,
      codec: frame.codec === 0 ? 'none' : 'zstd',
      blobs: blobs.get(frame),
    })),
  }
}

export async function catIndex(repository: Repository, prefix: string): Promise<Json> {
  const { name } = await findObject(repository, 'index', prefix)
  const { group } = splitName(name)
  const index = decodeIndex(repository.keyring, name, await loadObject(repository.backend, { type: 'index', name }), trustedWriters(repository, group))
  return { id: name, replaces: index.replaces, packs: index.packs.map((pack) => ({ id: pack.packId, size: pack.sizeBytes, session: toHex(pack.session), ...directoryJson(pack) })) }
}

/** A key slot's parameters; never a secret. */
export async function catKey(repository: Repository, prefix: string): Promise<Json> {
  const { keys } = await listKeys(repository)
  const found = keys.filter((key) => key.id.startsWith(prefix.toLowerCase()))
  const key = found[0]
  if (key === undefined || found.length > 1) throw new BackupError(key === undefined ? 'INVALID_ARGUMENT' : 'AMBIGUOUS_ID', `"${prefix}" names ${key === undefined ? 'no key' : `${found.length} keys`}; "nacre key list" lists them`)
  const { kdf } = key
  const parameters = kdf.algorithm === 1 ? { kdf: 'argon2id', memory_kib: kdf.memoryKib, passes: kdf.passes, lanes: kdf.lanes } : { kdf: 'scrypt', cost: kdf.cost, block_size: kdf.blockSize, lanes: kdf.lanes }
  return { id: key.id, role: key.role, group: key.group, user: key.user, host: key.host, created: formatTime(key.createdNs, 0), current: key.isCurrent, ...parameters }
}

async function findObject(repository: Repository, type: ObjectType, prefix: string): Promise<{ name: string; sizeBytes: number }> {
  const listed = await listObjects(repository.backend, type)
  const wanted = prefix.toLowerCase()
  const found = listed.filter(({ name }) => name.startsWith(wanted) || (name.includes('/') && splitName(name).id.startsWith(wanted)))
  if (wanted !== '' && found.length === 1) return found[0]!
  if (wanted === '' || found.length === 0) throw new BackupError('INVALID_ARGUMENT', `there is no object "${prefix}" in ${type}/`)
  throw new BackupError('AMBIGUOUS_ID', `"${prefix}" may be any of ${found.length} objects in ${type}/: ${found.slice(0, 10).map(({ name }) => name).join(', ')}`)
}
