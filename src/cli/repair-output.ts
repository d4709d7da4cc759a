/** What repairs tell: first what is wrong, then what was done of it or would be, and what remains lost. */
import { type FilesRepair, type IndexRepair, type LeftObject, type PacksRepair, type RepairEvent, type SnapshotsRepair, shortId, type Sufferer, textFields } from '../index.ts'
import { display, displayPath } from './display.ts'
import { EXIT } from './exit-codes.ts'
import { count, size } from './format.ts'
import type { Output } from './output.ts'
import { startProgress } from './progress.ts'

const SHOWN = 20
const NEXT = 'nothing was changed; --apply does it'

export interface RepairProgress {
  onEvent(event: RepairEvent): void
  stop(): void
}

export function repairProgress(output: Output, what: string): RepairProgress {
  const progress = startProgress(output, what)
  let isStopped = false
  return {
    onEvent(event) {
      if (event.type === 'expectation') progress.expect(event.objects, event.bytes)
      else if (event.type === 'object') progress.done()
      else if (event.type === 'bytes') progress.bytes(event.bytes)
      else if (event.type === 'file') progress.file(event.path)
      else if (event.type === 'files') progress.done(event.count)
      else output.warn(`nacre: ${display(event.message)}`)
    },
    stop() {
      if (!isStopped) progress.stop()
      isStopped = true
    },
  }
}

export function tellIndex(output: Output, result: IndexRepair, isApplied: boolean, stop: () => void): number {
  stop()
  const { damaged, packs, blobs, unreadable } = result
  tellObjects(output, 'damaged', damaged)
  tellObjects(output, 'unreadable', unreadable)
  if (output.isJson) output.json({ type: 'summary', applied: isApplied, damaged: damaged.length, packs, blobs, unreadable: unreadable.length, written: isApplied ? result.written : 0 })
  else if (damaged.length === 0 && packs === 0) output.result('nothing to repair: every pack that says what it holds is in the index')
  else if (isApplied) output.result(`stated ${count(packs, 'pack')} with ${count(blobs, 'blob')} anew${damaged.length > 0 ? `, in place of ${count(damaged.length, 'damaged index object')} that the next prune removes` : ''}`)
  else output.result(`would state ${count(packs, 'pack')} with ${count(blobs, 'blob')} anew, and replace ${count(damaged.length, 'damaged index object')}; ${NEXT}`)
  return isApplied && unreadable.length > 0 ? EXIT.incomplete : EXIT.done
}

export function tellPacks(output: Output, result: PacksRepair, isApplied: boolean, stop: () => void): number {
  stop()
  const { damaged, left, savedBlobs, savedBytes, lostBlobs, suffers } = result
  tellObjects(output, 'damaged', damaged)
  tellObjects(output, 'left', left)
  tellSufferers(output, suffers, 'loses')
  if (output.isJson) {
    output.json({ type: 'summary', applied: isApplied, damaged: damaged.length, left: left.length, saved_blobs: savedBlobs, saved_bytes: savedBytes, from_catalogue: result.fromCatalogue, lost_blobs: lostBlobs, suffering: suffers.length, written: result.written })
  } else if (damaged.length === 0) output.result('nothing to repair: every pack is whole')
  else {
    const saved = `${count(savedBlobs, 'blob')} (${size(savedBytes)}) of ${count(damaged.length - left.length, 'damaged pack')}`
    output.result(isApplied ? `saved ${saved}; the next prune removes the damaged` : `would save ${saved}; ${NEXT}`)
    output.result(lostBlobs === 0 ? 'nothing is lost' : `${count(lostBlobs, 'blob is', 'blobs are')} lost${suffers.length === 0 ? ', and no snapshot needs them' : ': "nacre repair files --from PATH" finds them again in files that are still there, and so does a backup; "nacre repair snapshots" makes snapshots without what is lost'}`)
  }
  return isApplied && (suffers.length > 0 || left.length > 0) ? EXIT.incomplete : EXIT.done
}

export function tellFiles(output: Output, result: FilesRepair, isApplied: boolean, stop: () => void): number {
  stop()
  const { lostBefore, healed, healedBytes, lost, suffers, problems } = result
  for (const { path, message } of problems) {
    if (output.isJson) output.json({ type: 'problem', ...textFields('path', path), message })
    else output.warn(`nacre: ${displayPath(path)}: ${display(message)}`)
  }
  if (lost > 0) tellSufferers(output, suffers, isApplied ? 'still lacks something' : 'lacks something')
  if (output.isJson) output.json({ type: 'summary', applied: isApplied, lost_before: lostBefore, healed, healed_bytes: healedBytes, lost, suffering: lost === 0 ? 0 : suffers.length, files_read: result.filesRead, bytes_read: result.bytesRead, problems: problems.length })
  else if (lostBefore === 0) output.result('nothing to repair: by the index no blob is lost ("nacre repair packs" finds those in damaged packs)')
  else {
    output.info(`read ${count(result.filesRead, 'file')}, ${size(result.bytesRead)}`)
    const found = `${healed} of ${count(lostBefore, 'lost blob')} (${size(healedBytes)})`
    output.result(isApplied ? `healed ${found}` : `would heal ${found}; ${NEXT}`)
    if (lost > 0) output.result(`${count(lost, 'blob is', 'blobs are')} still lost: name other places where the files or copies of them lie, or "nacre repair snapshots" makes snapshots without them`)
  }
  return isApplied && lost > 0 ? EXIT.incomplete : EXIT.done
}

export function tellSnapshots(output: Output, result: SnapshotsRepair, isApplied: boolean, stop: () => void): number {
  stop()
  for (const { snapshot, missing, more, outcome, repairedAs } of result.repaired) {
    if (output.isJson) {
      output.json({ type: 'snapshot', id: snapshot.id, outcome, repaired_as: repairedAs ?? null, missing: missing.map(({ path, message }) => ({ ...textFields('path', path), message })), more })
      continue
    }
    const id = shortId(snapshot.id)
    const as = repairedAs === undefined ? '' : shortId(repairedAs)
    const what = { planned: 'would be made anew without', repaired: `was made anew as ${as} without`, done: `was made anew before, as ${as}, without`, gone: 'has nothing left to be saved:' }[outcome]
    output.result(`snapshot ${id} ${what} ${count(missing.length + more, 'file or folder', 'files or folders')}`)
    const shown = output.isVerbose ? missing : missing.slice(0, SHOWN)
    for (const { path, message } of shown) output.result(`  ${displayPath(path)}: ${display(message)}`)
    if (missing.length + more > shown.length) output.result(`  and ${missing.length + more - shown.length} more (-v shows those that are known by name)`)
  }
  const made = result.repaired.filter(({ outcome }) => outcome === 'repaired').length
  const planned = result.repaired.filter(({ outcome }) => outcome === 'planned').length
  if (output.isJson) output.json({ type: 'summary', applied: isApplied, snapshots: result.looked, suffering: result.repaired.length, repaired: made, forgotten: result.forgotten.length })
  else if (result.repaired.length === 0) output.result(`nothing to repair: by the index ${count(result.looked, 'snapshot')} lack nothing ("nacre repair packs" finds what is lost in damaged packs)`)
  else if (!isApplied) output.result(`would make ${count(planned, 'snapshot')}; ${NEXT}`)
  else output.result(`made ${count(made, 'snapshot')}${result.forgotten.length > 0 ? ` and forgot ${count(result.forgotten.length, 'old one')}; "nacre unforget ID" brings one back until a prune has planned its end` : '; the old ones are still there: --forget forgets them'}`)
  return EXIT.done
}

function tellObjects(output: Output, what: string, objects: readonly LeftObject[]): void {
  const shown = output.isVerbose || output.isJson ? objects : objects.slice(0, SHOWN)
  for (const { object, message } of shown) {
    if (output.isJson) output.json({ type: what, object, message })
    else output.result(`${what}: ${display(object)}: ${display(message)}`)
  }
  if (shown.length < objects.length) output.result(`  and ${objects.length - shown.length} more (-v shows all)`)
}

function tellSufferers(output: Output, suffers: readonly Sufferer[], what: string): void {
  const shown = output.isVerbose || output.isJson ? suffers : suffers.slice(0, SHOWN)
  for (const { snapshotId, path, part } of shown) {
    if (output.isJson) output.json({ type: 'suffers', snapshot_id: snapshotId, ...textFields('path', path), ...(part === undefined ? {} : { part }) })
    else output.result(`${what}: ${part === undefined ? displayPath(path) : 'a list of skipped files'}  (newest in ${shortId(snapshotId)})`)
  }
  if (shown.length < suffers.length) output.result(`  and ${suffers.length - shown.length} more (-v shows all)`)
}
