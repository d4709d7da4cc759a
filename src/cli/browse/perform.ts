/** Does what the model asks for: reads of the repository, and restores. */
import { type BrowseReader, escapeBytes, isBackupError, pathHistory, type Repository, type Snapshot } from '../../index.ts'
import { display } from '../display.ts'
import { gatheringOutput } from '../gathering-output.ts'
import { runRestore } from '../restore-run.ts'
import { compareFiles, compareFolders } from './compare.ts'
import { PAGE_ROWS } from './folder-window.ts'
import type { Request, Result } from './model.ts'
import { type Body, previewBody, type TextLine } from './text-body.ts'
import { holds } from './typing.ts'

export interface Performer {
  readonly repository: Repository
  readonly reader: BrowseReader
  /** Those that the filters leave, oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly threads: number
}

/** Of a file so much is looked at. */
const PREVIEW_BYTES = 64 * 1024
const ROOT = Uint8Array.of(0x2f)

/** @param onProgress - told how far it is, in words */
export async function perform(performer: Performer, request: Request, signal: AbortSignal, onProgress: (text: string) => void): Promise<Result> {
  const { reader, repository, snapshots } = performer
  switch (request.kind) {
    case 'page':
      return { kind: 'page', page: await reader.page(request.list, request.start, PAGE_ROWS, signal) }
    case 'around':
      return around(reader, request, signal)
    case 'open':
      return { kind: 'open', way: await way(reader, request.snapshot, request.path, signal) }
    case 'find':
      return { kind: 'found', name: await reader.find(request.list, request.start, (name) => holds(escapeBytes(name), request.needle), signal) }
    case 'preview':
      return { kind: 'text', body: previewBody(await reader.beginning(request.place.node, PREVIEW_BYTES, signal), request.place.node.size) }
    case 'versions': {
      const { versions, without } = await pathHistory(repository, snapshots, request.path, signal)
      return { kind: 'versions', versions, without: without.length }
    }
    case 'compare': {
      const { before, after } = request
      const areFolders = before.node.type === 'directory' && after.node.type === 'directory'
      return { kind: 'text', body: areFolders ? await compareFolders(repository, before, after, signal) : await compareFiles(reader, before.node, after.node, signal) }
    }
    case 'restore':
      return { kind: 'text', body: await restored(performer, request, signal, onProgress) }
  }
}

async function around(reader: BrowseReader, { list, name, isLast }: Extract<Request, { kind: 'around' }>, signal: AbortSignal): Promise<Result> {
  const nothing = { nodes: [], isEnd: true }
  if (isLast) return { kind: 'around', before: await reader.page(list, { name: undefined, direction: 'before' }, PAGE_ROWS, signal), from: nothing }
  const before = name === undefined ? nothing : await reader.page(list, { name, direction: 'before' }, PAGE_ROWS / 2, signal)
  return { kind: 'around', before, from: await reader.page(list, { name, direction: 'from' }, PAGE_ROWS, signal) }
}

/** A path of a backup need not be in its tree: it may have been shown under another. */
async function way(reader: BrowseReader, snapshot: Snapshot, path: Uint8Array, signal: AbortSignal): ReturnType<BrowseReader['way']> {
  try {
    return await reader.way(snapshot, path, signal)
  } catch (error) {
    if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
    return reader.way(snapshot, ROOT, signal)
  }
}

async function restored({ repository, threads }: Performer, { steps }: Extract<Request, { kind: 'restore' }>, signal: AbortSignal, onProgress: (text: string) => void): Promise<Body> {
  const output = gatheringOutput(onProgress)
  let failure: string | undefined
  try {
    for (const { snapshot, path, include, target } of steps) await runRestore(repository, output, { snapshot, path, include, target, threads, signal })
  } catch (error) {
    // What was restored before is told as well.
    if (!isBackupError(error) || error.code === 'INTERRUPTED') throw error
    failure = display(error.message)
  }
  const lines = output.lines().map((text): TextLine => ({ text: text.replace(/^nacre: /, '') }))
  return { kind: 'lines', lines: failure === undefined ? lines : [...lines, { text: failure, style: 'warning' }] }
}
