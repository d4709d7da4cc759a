/** From what a person names to what is backed up: absolute paths, each once, in byte order. */
import { resolve } from 'node:path'
import { compareBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import { absolutePath } from './select.ts'
import type { SourcePath, SourceStream } from './source-paths.ts'

/** A folder that is shown in the snapshot where it does not lie, such as a mounted snapshot of a disk. */
export interface AsPath {
  readonly real: string | Uint8Array
  readonly shown: string | Uint8Array
}

export interface NamedStream extends SourceStream {
  /** Path in the snapshot; below the root where it is none. */
  readonly name: string | Uint8Array
}

export interface SourceListOptions {
  readonly paths: readonly (string | Uint8Array)[]
  readonly asPaths?: readonly AsPath[] | undefined
  readonly stream?: NamedStream | undefined
}

/** @throws {BackupError} INVALID_ARGUMENT - nothing is named, or two things would be shown as one */
export function sourcePaths(options: SourceListOptions): SourcePath[] {
  const mappings = (options.asPaths ?? []).map(({ real, shown }) => ({ real: absolutePath(real), shown: absolutePath(shown), isUsed: false }))
  const unique = new Map<string, SourcePath>()
  const add = (source: SourcePath): void => {
    const key = Buffer.from(source.path).toString('latin1')
    const other = unique.get(key)
    const isOther = other !== undefined && (source.stream !== undefined || compareBytes(other.real ?? other.path, source.real ?? source.path) !== 0)
    if (isOther) throw new BackupError('INVALID_ARGUMENT', `two things would stand at ${escapeBytes(source.path)} in the snapshot`)
    unique.set(key, source)
  }
  for (const path of options.paths) {
    const real = absolutePath(path)
    const mapping = mappings.filter((candidate) => isWithin(real, candidate.real)).sort((a, b) => b.real.length - a.real.length)[0]
    if (mapping === undefined) add({ path: real })
    else {
      mapping.isUsed = true
      add({ path: below(mapping.shown, real.subarray(mapping.real.length)), real })
    }
  }
  for (const { real, shown, isUsed } of mappings) if (!isUsed) add({ path: shown, real })
  if (options.stream !== undefined) add({ path: fromRoot(options.stream.name), stream: options.stream })
  if (unique.size === 0) throw new BackupError('INVALID_ARGUMENT', 'no path was given to back up')
  return [...unique.values()].sort((a, b) => compareBytes(a.path, b.path))
}

const SLASH = 0x2f

function isWithin(path: Uint8Array, folder: Uint8Array): boolean {
  if (folder.length === 1) return true
  return compareBytes(path.subarray(0, folder.length), folder) === 0 && (path.length === folder.length || path[folder.length] === SLASH)
}

/** @param rest - begins with a slash, or is empty */
function below(folder: Uint8Array, rest: Uint8Array): Uint8Array {
  return absolutePath(new Uint8Array(Buffer.concat([folder, Buffer.from('/'), rest])))
}

function fromRoot(name: string | Uint8Array): Uint8Array {
  const text = Buffer.from(typeof name === 'string' ? utf8(name) : name).toString('latin1')
  const path = new Uint8Array(Buffer.from(resolve('/', text), 'latin1'))
  if (path.length === 1) throw new BackupError('INVALID_ARGUMENT', 'what comes from elsewhere needs a name')
  return path
}
