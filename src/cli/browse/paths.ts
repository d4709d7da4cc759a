/** Absolute paths of snapshots, which are bytes. */

const SLASH = 0x2f

export function joinedPath(folder: Uint8Array, name: Uint8Array): Uint8Array {
  const isOpen = folder.at(-1) === SLASH
  return new Uint8Array(Buffer.concat([folder, ...(isOpen ? [] : [Uint8Array.of(SLASH)]), name]))
}

/** The folder that a path lies in; that of the root is the root. */
export function folderOf(path: Uint8Array): Uint8Array {
  return path.subarray(0, Math.max(1, path.lastIndexOf(SLASH)))
}

export function nameOf(path: Uint8Array): Uint8Array {
  return path.subarray(path.lastIndexOf(SLASH) + 1)
}

/** The deepest folder that all of them lie in, or the one path that there is; the root of none. */
export function commonPath(paths: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = paths.map((path) => Buffer.from(path).toString('latin1').split('/').filter((name) => name !== ''))
  if (first === undefined) return Uint8Array.of(SLASH)
  const length = first.findIndex((name, i) => others.some((names) => names[i] !== name))
  return new Uint8Array(Buffer.from(`/${first.slice(0, length === -1 ? first.length : length).join('/')}`, 'latin1'))
}
