/** All that is known of a file or a snapshot, in lines. */
import { formatTime, type Node, shortId, type Snapshot } from '../../index.ts'
import { display, displayPath } from '../display.ts'
import { grouped, size } from '../format.ts'
import { localTime } from '../local-time.ts'
import { tagsText } from '../marks-text.ts'
import { modeText } from '../mode-text.ts'

/** Of a value so much is shown: an attribute may be 64 KiB. */
const VALUE_BYTES = 256
const NAME_COLUMNS = 'described'.length

export function nodeDetails(node: Node): string[] {
  return aligned([
    ['name', displayPath(node.name)],
    ['type', node.type],
    ['mode', `${modeText(node)} (${node.mode.toString(8).padStart(4, '0')})`],
    ['owner', `${ownerText(node.user, node.uid)}:${ownerText(node.group, node.gid)}`],
    ...(node.type === 'file' ? [['size', `${size(node.size)} (${grouped(node.size)} bytes)`] as const] : []),
    ['modified', timeText(node.mtimeS, node.mtimeNs)],
    ['changed', timeText(node.ctimeS, node.ctimeNs)],
    ...(node.atime === undefined ? [] : [['read', timeText(node.atime.s, node.atime.ns)] as const]),
    ['inode', `${node.inode}${node.links > 1 && node.type !== 'directory' ? `, ${node.links} names` : ''}`],
    ...(node.target === undefined ? [] : [['leads to', displayPath(node.target)] as const]),
    ...(node.rdev === undefined ? [] : [['device', `${node.rdev.major}, ${node.rdev.minor}`] as const]),
    ...(node.extents === undefined ? [] : [['stretches', `${node.extents.length} with data, the rest are holes`] as const]),
    ...(node.type === 'directory' && node.subtree === undefined ? [['content', 'could not be read when it was backed up'] as const] : []),
    ...(node.xattrs ?? []).map(({ name, value }) => ['attribute', `${displayPath(name)} = ${displayPath(value.subarray(0, VALUE_BYTES))}${value.length > VALUE_BYTES ? ` … (${value.length} bytes)` : ''}`] as const),
  ])
}

export function snapshotDetails(snapshot: Snapshot): string[] {
  const { summary, pin, zoneMinutes } = snapshot
  return aligned([
    ['id', snapshot.id],
    ['begun', formatTime(snapshot.startNs, zoneMinutes)],
    ['ended', formatTime(snapshot.endNs, zoneMinutes)],
    ['made by', `${display(snapshot.user)}@${display(snapshot.host)}, ${display(snapshot.program)}`],
    ...snapshot.paths.map((path) => ['path', displayPath(path)] as const),
    ['tags', display(tagsText(snapshot))],
    ['described', display(snapshot.description)],
    ...(pin === undefined ? [] : [['pinned', pin === 'forever' ? 'for ever' : `until ${formatTime(pin, zoneMinutes).slice(0, 10)}`] as const]),
    ...(snapshot.parent === undefined ? [] : [['parent', shortId(snapshot.parent)] as const]),
    ['holds', `${grouped(summary.totalFiles)} files, ${size(summary.totalBytes)}`],
    ['new', `${grouped(summary.filesNew)} files, ${grouped(summary.filesChanged)} changed, ${size(summary.dataAdded)} added, stored as ${size(summary.dataAddedStored)}`],
    ['skipped', grouped(snapshot.skippedCount)],
    ...snapshot.skipped.map(({ path, reason }) => ['', `${display(reason)}: ${displayPath(path)}`] as const),
  ])
}

function aligned(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const shown = rows.filter(([, value]) => value !== '')
  return shown.map(([name, value]) => `${name.padEnd(NAME_COLUMNS)}  ${value}`)
}

function ownerText(name: string | undefined, id: number): string {
  return name === undefined ? String(id) : `${display(name)} (${id})`
}

function timeText(seconds: number, ns: number): string {
  return `${localTime(BigInt(seconds) * 1_000_000_000n)}.${String(ns).padStart(9, '0')}`
}
