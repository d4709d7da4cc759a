/**
 * Where a window ends, frames do not: the last of them go on with the files of the next. Files that lie
 * in these wait for it, so that each frame is fetched once, however many files share it.
 */
import type { Catalogue } from '../../repository/catalogue/catalogue.ts'
import type { Pending, RestoreWindow, Use } from './window.ts'

/** So many frames were being filled at once, by workers that took turns. */
const OPEN_FRAMES = 8
/** Files that wait, at most: beyond it a frame may be fetched twice. */
const HELD_FILES = 8192

export interface Held {
  readonly files: readonly Pending[]
  readonly uses: readonly Use[]
}

export const NONE_HELD: Held = { files: [], uses: [] }

/** @returns the window without the files that wait */
export function holdBack(catalogue: Catalogue, window: RestoreWindow): { readonly window: RestoreWindow; readonly held: Held } {
  const frames = new Map<string, Set<Pending>>()
  for (const use of window.uses) {
    // What may be in a file that stands there is not looked for yet.
    if (use.file.file.hasBasis) continue
    const at = (use.at ??= catalogue.place(use.blob.id, 0))
    if (at === undefined) continue
    const key = `${at.pack.packId}.${at.frameOffset}`
    const files = frames.get(key) ?? new Set()
    // In the order in which they were used last.
    frames.delete(key)
    frames.set(key, files.add(use.file))
  }
  const open = [...frames.values()].slice(-OPEN_FRAMES)
  const waiting = new Set<Pending>()
  for (const files of open) for (const file of files) if (file !== window.last && !file.isLong) waiting.add(file)
  if (waiting.size === 0 || waiting.size > HELD_FILES) return { window, held: NONE_HELD }
  const stays = (file: Pending): boolean => !waiting.has(file)
  return {
    window: { ...window, files: window.files.filter(stays), uses: window.uses.filter(({ file }) => stays(file)) },
    held: { files: [...waiting], uses: window.uses.filter(({ file }) => !stays(file)) },
  }
}

/** The window with those that waited for it, before its own. */
export function withHeld(window: RestoreWindow, held: Held): RestoreWindow {
  return held.files.length === 0 ? window : { ...window, files: [...held.files, ...window.files], uses: [...held.uses, ...window.uses] }
}
