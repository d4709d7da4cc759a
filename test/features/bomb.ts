/** Snapshots whose trees no backup makes: committed as any other, by one who holds a key. */
import type { Repository } from '../../src/repository/repository.ts'
import { makeSnapshot } from '../../src/features/repair/make-snapshot.ts'
import { saveTree } from '../../src/snapshot/archiver.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { nowNs } from '../../src/util/clock.ts'
import { PERSON } from '../repository/support.ts'

export function node(name: string, more: Partial<Node>): Node {
  return { name: utf8(name), type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 1, ...more }
}

/** @returns the new snapshot's id */
export async function plantTree(repository: Repository, build: (save: (blob: Uint8Array) => Uint8Array) => Uint8Array): Promise<string> {
  const trees = await openTreeReader(repository)
  const timeNs = nowNs()
  return makeSnapshot(repository, { person: PERSON, threads: 0, apply: true }, ({ store }) =>
    Promise.resolve({
      tree: build((blob) => saveTree(store, trees, blob)),
      paths: [utf8('/')],
      host: PERSON.host,
      user: PERSON.user,
      tags: [],
      label: '',
      description: 'hostile',
      startNs: timeNs,
      endNs: timeNs,
      zoneMinutes: 0,
      summary: { filesNew: 0, filesChanged: 0, filesUnmodified: 0, totalFiles: 0, totalBytes: 0, dataAdded: 0, dataAddedStored: 0 },
      skippedCount: 0,
      skipped: [],
      skippedAll: undefined,
      program: 'hostile',
    }))
}
