/** What the commands that mark snapshots share: they name some, change them, and show what came of it. */
import { changeMarks, loadSnapshots, type MarkChange, shortId, type Snapshot, type SnapshotFilter, snapshotJson } from '../index.ts'
import type { Context } from './command.ts'
import { display } from './display.ts'
import { EXIT } from './exit-codes.ts'
import { filterOf, openChooser } from './filters.ts'
import { count } from './format.ts'
import { notesText, tagsText } from './marks-text.ts'
import { person } from './person.ts'

/** @param words - which snapshots, among those that the filters leave */
export async function markSnapshots(context: Context, words: readonly string[], change: MarkChange, filter: SnapshotFilter = filterOf(context.args)): Promise<number> {
  const { output, signal } = context
  const { repository, list, choose } = await openChooser(context, filter, false)
  for (const { message } of list.markerProblems) output.warn(`nacre: ${display(message)}; it is not obeyed`)
  // All are looked up before the first is changed.
  const chosen = [...new Set(words.map(choose))]
  let changed = 0
  for (const snapshot of chosen) if (await changeMarks(repository, snapshot, change, { person: person(), signal })) changed++
  const after = (await loadSnapshots(repository, { signal })).snapshots.filter((snapshot) => chosen.some(({ id }) => id === snapshot.id))
  if (output.isJson) output.json(after.map(snapshotJson))
  else for (const snapshot of after) output.result(line(snapshot))
  output.info(changed === 0 ? 'nothing had to be changed' : `changed ${count(changed, 'snapshot')}`)
  return EXIT.done
}

function line(snapshot: Snapshot): string {
  return [shortId(snapshot.id), display(tagsText(snapshot)), notesText(snapshot), display(snapshot.description)].filter((part) => part !== '').join('  ')
}
