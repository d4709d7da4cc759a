/** What stands in the columns of a row. */
import { formatTime, type Node, type PathVersion, shortId, type Snapshot } from '../../index.ts'
import { display, displayPath } from '../display.ts'
import { grouped, size } from '../format.ts'
import { localTime } from '../local-time.ts'
import { notesText, tagsText } from '../marks-text.ts'
import { modeText } from '../mode-text.ts'

/** In the order in which they stand, the last one as wide as there is room. */
export type Cells = Readonly<Record<string, string>>

export function snapshotCells(snapshot: Snapshot): Cells {
  return {
    id: shortId(snapshot.id),
    time: snapshotTime(snapshot),
    host: display(snapshot.host),
    files: grouped(snapshot.summary.totalFiles),
    size: size(snapshot.summary.totalBytes),
    tags: display(tagsText(snapshot)),
    rest: [snapshot.paths.map(displayPath).join(' '), notesText(snapshot), display(snapshot.description)].filter((text) => text !== '').join('  '),
  }
}

export function versionCells({ node, snapshots }: PathVersion<Snapshot>): Cells {
  const [first, last] = [snapshots[0]!, snapshots.at(-1)!]
  return { id: shortId(last.id), time: nodeTime(node), size: sizeText(node), rest: `${snapshots.length}×  ${snapshotTime(first)} … ${snapshotTime(last)}` }
}

export function nodeCells(node: Node): Cells {
  const target = node.target === undefined ? '' : ` -> ${displayPath(node.target)}`
  return { mode: modeText(node), size: sizeText(node), time: nodeTime(node), rest: `${displayPath(node.name)}${node.type === 'directory' ? '/' : target}` }
}

/** Where it was made. */
export function snapshotTime({ startNs, zoneMinutes }: Snapshot): string {
  return formatTime(startNs, zoneMinutes).slice(0, 19).replace('T', ' ')
}

function nodeTime({ mtimeS }: Node): string {
  return localTime(BigInt(mtimeS) * 1_000_000_000n)
}

function sizeText(node: Node): string {
  return node.type === 'file' ? size(node.size) : node.type === 'directory' ? 'folder' : node.type
}
