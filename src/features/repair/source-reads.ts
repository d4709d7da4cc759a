/**
 * Which source files are worth reading for what is lost: pure, so that it can be looked at. Of what
 * was named, those files whose blobs are lost and the folders whose lists are; where nothing of that
 * lies there, all of it, for it may be a copy that lies elsewhere.
 *
 * A folder above the paths of a backup holds nothing but the way to them, so its list is made again
 * only by reading all of these paths together.
 */
import type { Loss } from './lost-blobs.ts'

const SLASH = 0x2f

/** Sets of paths, each to be read by a walk of its own. @param from - absolute and normal */
export function chooseReads(losses: readonly Loss[], from: readonly Uint8Array[]): Uint8Array[][] {
  const single = new Map<string, Uint8Array>()
  const together = new Map<string, Uint8Array[]>()
  const useful = new Set<Uint8Array>()
  const add = (path: Uint8Array): void => void single.set(keyOf(path), path)
  for (const { path, paths } of losses) {
    const below = paths.filter((root) => isWithin(root, path) && !isSame(root, path))
    const wanted = below.length > 0 ? paths : [path]
    const covered = wanted.every((one) => from.some((source) => isWithin(one, source)))
    if (below.length > 0 && covered) together.set(wanted.map(keyOf).join('\n'), [...wanted])
    for (const source of from) {
      for (const one of wanted) {
        if (isWithin(one, source)) {
          useful.add(source)
          if (below.length === 0) add(one)
        } else if (isWithin(source, one)) {
          useful.add(source)
          add(source)
        }
      }
    }
  }
  for (const source of from) if (!useful.has(source)) add(source)
  const outermost = [...single.values()].filter((path) => ![...single.values()].some((other) => other !== path && isWithin(path, other)))
  return [...(outermost.length > 0 ? [outermost] : []), ...together.values()]
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1')
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return keyOf(a) === keyOf(b)
}

/** Whether the path is the folder, or lies below it. */
function isWithin(path: Uint8Array, folder: Uint8Array): boolean {
  if (folder.length > path.length) return false
  for (let i = 0; i < folder.length; i++) if (path[i] !== folder[i]) return false
  return path.length === folder.length || folder.at(-1) === SLASH || path[folder.length] === SLASH
}
