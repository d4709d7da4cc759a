/**
 * Looking for names across snapshots. All snapshots are walked at once: at each folder, those that
 * have the same list there are one, so a hundred snapshots cost what differs between them. What
 * comes out is sorted by path, each version once, with the snapshots that hold it.
 */
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { toHex } from '../../util/bytes.ts'
import { textOfBytes } from '../../util/text-bytes.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { createPathGuard } from '../../snapshot/path-guard.ts'
import { joinPath } from '../../snapshot/source-paths.ts'
import type { ScannedNode } from '../../snapshot/tree-scan.ts'
import { openTreeReader } from '../../snapshot/tree-reader.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'
import { createMatcher, type FindFilter, type Matcher } from './matcher.ts'
import { mergeVersions, type NameVersions } from './merge-versions.ts'
import { versionKey } from './version.ts'

export interface Found<S> {
  /** Absolute. */
  readonly path: Uint8Array
  readonly node: Node
  /** In the order in which they were given. */
  readonly snapshots: readonly S[]
}

/** Snapshots, by position, that have the same list in a place. */
interface Holders {
  readonly list: Uint8Array
  readonly snapshots: readonly number[]
}

interface Folder {
  readonly path: Uint8Array
  readonly holders: readonly Holders[]
  readonly names: AsyncGenerator<readonly NameVersions[], void, undefined>
  found: readonly NameVersions[]
  next: number
}

/** @throws {BackupError} INVALID_ARGUMENT - a pattern cannot be read; BLOB_MISSING, CORRUPT */
export async function* findNames<S extends Pick<Snapshot, 'tree'>>(repository: Repository, snapshots: readonly S[], filter: FindFilter, signal?: AbortSignal): AsyncGenerator<Found<S>, void, undefined> {
  const matcher = createMatcher(filter)
  const trees = await openTreeReader(repository)
  const open = (path: Uint8Array, holders: readonly Holders[]): Folder => {
    const folder = folderText(path)
    const wants = (key: string, isDirectory: boolean): boolean => isDirectory || matcher.matchesName(folder, key)
    return { path, holders, names: mergeVersions(trees, holders.map(({ list }) => list), wants), found: [], next: 0 }
  }
  const roots = holdersOf(snapshots.map(({ tree }, i) => ({ list: tree, snapshots: [i] })))
  const stack: Folder[] = roots.length === 0 ? [] : [open(Uint8Array.of(0x2f), roots)]
  const guard = createPathGuard(trees, roots.map(({ list }) => list), { signal })
  for (let folder = stack.at(-1); folder !== undefined; folder = stack.at(-1)) {
    const name = folder.found[folder.next++]
    if (name === undefined) {
      throwIfAborted(signal)
      const more = await folder.names.next()
      if (more.done === true) stack.pop()
      else Object.assign(folder, { found: more.value, next: 0 })
      continue
    }
    const path = joinPath(folder.path, name.name)
    const versions = versionsOf(folder, name, matcher)
    for (const { node, holders } of versions.matches) yield { path, node, snapshots: holders.map((i) => snapshots[i]!) }
    if (versions.below.length === 0 || !matcher.mayMatchBelow(folderText(path))) continue
    if (stack.length >= DEPTH_LIMIT) throw new BackupError('CORRUPT', `a tree is deeper than ${DEPTH_LIMIT} folders`)
    await guard.entered()
    stack.push(open(path, versions.below))
  }
}

/** The folder's path with a slash at its end. */
function folderText(path: Uint8Array): string {
  return path.length === 1 ? '/' : `${textOfBytes(path)}/`
}

interface Versions {
  readonly matches: readonly { readonly node: Node; readonly holders: readonly number[] }[]
  readonly below: readonly Holders[]
}

function versionsOf(folder: Folder, { held }: NameVersions, matcher: Matcher): Versions {
  const isMatch = matcher.matchesName(folderText(folder.path), held[0]!.node.key)
  const matches = new Map<string, { node: Node; parts: (readonly number[])[] }>()
  const below: Holders[] = []
  for (const { node, holders } of distinctNodes(folder, held)) {
    if (node.subtree !== undefined) below.push({ list: node.subtree, snapshots: holders })
    if (!isMatch || !matcher.matchesNode(node)) continue
    const key = versionKey(node)
    const version = matches.get(key) ?? { node, parts: [] }
    version.parts.push(holders)
    matches.set(key, version)
  }
  return { matches: [...matches.values()].map(({ node, parts }) => ({ node, holders: joined(parts) })), below: holdersOf(below) }
}

/** Nodes that are the same to the byte are decoded once. */
function distinctNodes(folder: Folder, held: NameVersions['held']): { node: Node; holders: readonly number[] }[] {
  if (held.length === 1) return [{ node: held[0]!.node.decode(), holders: folder.holders[held[0]!.list]!.snapshots }]
  const byBytes = new Map<string, { scanned: ScannedNode; parts: (readonly number[])[] }>()
  for (const { list, node } of held) {
    const key = latin1(node.encoded)
    const same = byBytes.get(key) ?? { scanned: node, parts: [] }
    same.parts.push(folder.holders[list]!.snapshots)
    byBytes.set(key, same)
  }
  return [...byBytes.values()].map(({ scanned, parts }) => ({ node: scanned.decode(), holders: joined(parts) }))
}

/** One for each distinct list. */
function holdersOf(all: readonly Holders[]): Holders[] {
  if (all.length === 1) return [...all]
  const byList = new Map<string, { list: Uint8Array; parts: (readonly number[])[] }>()
  for (const { list, snapshots } of all) {
    const key = toHex(list)
    const same = byList.get(key) ?? { list, parts: [] }
    same.parts.push(snapshots)
    byList.set(key, same)
  }
  return [...byList.values()].map(({ list, parts }) => ({ list, snapshots: joined(parts) }))
}

function joined(parts: readonly (readonly number[])[]): readonly number[] {
  return parts.length === 1 ? parts[0]! : parts.flat().sort((a, b) => a - b)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
