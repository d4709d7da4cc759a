/** Names of snapshots and of what they are sorted by, as folders can hold them. */
import { formatTime } from '../../util/time-text.ts'
import { utf8 } from '../../util/bytes.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { shortId } from '../../snapshot/select.ts'

export type ZoneAt = (ns: bigint) => number

/**
 * `2026-11-24T17-31-10`, by the clock on the wall here, without colons, which some programs take for
 * a host's name. A second snapshot of the same second has the beginning of its id behind it.
 * @param snapshots - oldest first
 */
export function snapshotNames(snapshots: readonly Snapshot[], zoneAt: ZoneAt): Map<Snapshot, string> {
  const names = new Map<Snapshot, string>()
  const taken = new Set<string>()
  for (const snapshot of snapshots) {
    const time = formatTime(snapshot.startNs, zoneAt(snapshot.startNs)).replace(/\..*$/, '').replaceAll(':', '-')
    const name = taken.has(time) ? `${time}_${shortId(snapshot.id)}` : time
    const unique = taken.has(name) ? `${time}_${snapshot.id}` : name
    taken.add(unique)
    names.set(snapshot, unique)
  }
  return names
}

const NAME_LIMIT = 255

/** A host, tag or label as a name: what no name can hold stands as %XX, and so does the % itself. */
export function folderName(text: string): string {
  const escaped = text.replace(/[%/\0]/g, hex).replace(/^\.{1,2}$/, (dots) => dots.replaceAll('.', hex('.')))
  return utf8(escaped).length <= NAME_LIMIT ? escaped : shortened(escaped)
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** So long as fits; two that begin alike for so long are one folder. */
function shortened(text: string): string {
  let length = 0
  let kept = ''
  for (const character of text) {
    length += utf8(character).length
    if (length > NAME_LIMIT) break
    kept += character
  }
  return kept
}
