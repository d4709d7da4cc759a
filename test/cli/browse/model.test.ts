import { describe, expect, test } from 'vitest'
import { beginning } from '../../../src/cli/browse/beginning.ts'
import { shownCommands } from '../../../src/cli/browse/commands-shown.ts'
import { windowOf, withPage } from '../../../src/cli/browse/folder-window.ts'
import { frameOf } from '../../../src/cli/browse/frame.ts'
import { keyOf } from '../../../src/cli/browse/key-press.ts'
import { select } from '../../../src/cli/browse/list.ts'
import { type Model, type Request, shownView, type Size, type Step } from '../../../src/cli/browse/model.ts'
import { painted } from '../../../src/cli/browse/paint.ts'
import { commonPath } from '../../../src/cli/browse/paths.ts'
import { restoreSteps } from '../../../src/cli/browse/restore-steps.ts'
import { bodyLines, previewBody } from '../../../src/cli/browse/text-body.ts'
import { update } from '../../../src/cli/browse/update.ts'
import { columns } from '../../../src/cli/format.ts'
import type { Node, Snapshot } from '../../../src/index.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const nodeOf = (name: Uint8Array, more: Partial<Node> = {}): Node => ({ name, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 5, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 1, links: 1, ...more })
const folderNode = (name: string): Node => nodeOf(utf8(name), { type: 'directory', size: 0, subtree: utf8(`list of ${name}`) })
const snapshotOf = (id: string, second: number): Snapshot => ({
  id: id.repeat(16), startNs: BigInt(second) * 1_000_000_000n, endNs: 0n, zoneMinutes: 0, host: 'ada', user: 'me', tags: [], label: '', description: '', paths: [utf8('/home/me')],
  tree: utf8('tree'), summary: { totalFiles: 3, totalBytes: 15 }, skippedCount: 0, skipped: [],
}) as unknown as Snapshot

const [OLD, NEW] = [snapshotOf('aa', 1), snapshotOf('bb', 86_400)]
const NAMES = [utf8('plain.txt'), bytes('bad\xff'), utf8('esc\x1b[31m'), utf8('it\'s'), utf8('世界')]

function start(size: Size = { columns: 80, rows: 12 }): Model {
  return beginning({ snapshots: [OLD, NEW], program: 'nacre', filters: '', at: undefined }, size)
}

/** Presses keys, and answers what is asked for as a repository with one folder would. */
function press(model: Model, ...names: string[]): { readonly model: Model; readonly requests: readonly Request[] } {
  const requests: Request[] = []
  let now = model
  const settle = ({ model: next, request }: Step): void => {
    now = next
    if (request === undefined) return
    requests.push(request)
    const work = next.work!.id
    if (request.kind === 'open') settle(update(next, { kind: 'done', work, result: { kind: 'open', way: [folderNode(''), folderNode('home'), folderNode('me')] } }))
    if (request.kind === 'around') settle(update(next, { kind: 'done', work, result: { kind: 'around', before: { nodes: [], isEnd: true }, from: { nodes: NAMES.map((name) => nodeOf(name)), isEnd: true } } }))
  }
  for (const name of names) settle(update(now, { kind: 'key', key: { name, text: [...name].length === 1 ? name : name === 'space' ? ' ' : undefined } }))
  return { model: now, requests }
}

const screen = (model: Model): string[] => frameOf(model).rows.map(({ spans }) => spans.map(({ text }) => text).join('').trimEnd())

describe('the model of browse', () => {
  test('opens a snapshot at the folder that was backed up, and goes back up through the folders above', () => {
    const inside = press(start(), 'enter')
    expect(inside.requests.map(({ kind }) => kind)).toEqual(['open', 'around'])
    expect(screen(inside.model)[0]).toBe('bbbbbbbb:/home/me  1970-01-02 00:00:00 ada')
    const above = press(inside.model, 'left')
    expect(screen(above.model)[0]).toContain('bbbbbbbb:/home  ')
    expect(above.requests).toMatchObject([{ kind: 'around', name: utf8('me') }])
    expect(shownView(press(above.model, 'left', 'left').model).kind).toBe('snapshots')
  })

  test('asks for a folder to restore to, and restores nothing without one', () => {
    const { model } = press(start(), 'enter', 'down')
    const asking = press(model, 'r', '/', 'x').model
    expect(shownCommands(asking)).toEqual([`nacre restore $'bbbbbbbb:/home/me/bad\\377' --target /x`])
    const restoring = press(asking, 'enter')
    expect(restoring.requests).toEqual([{ kind: 'restore', steps: [{ snapshot: NEW, path: bytes('/home/me/bad\xff'), include: [], target: Buffer.from('/x') }] }])
    // Neither moving nor leaving gives it up.
    expect(press(restoring.model, 'down', 'q').model).toMatchObject({ end: undefined, work: { request: { kind: 'restore' } } })
    expect(press(restoring.model, 'escape').model.work).toBeUndefined()
    expect(press(model, 'r', 'enter')).toMatchObject({ requests: [], model: { notice: 'nothing was restored: no folder was given' } })
    expect(press(model, 'r', 'escape').model.prompt).toBeUndefined()
  })

  test('marks are kept while one looks elsewhere, and the command names all of them', () => {
    const { model } = press(start(), 'enter', 'space', 'down', 'down', 'space')
    expect(model.marks.map(({ path }) => path)).toEqual([utf8('/home/me/plain.txt'), utf8('/home/me/it\'s')])
    expect(shownCommands(model)).toEqual([`nacre restore bbbbbbbb:/home/me --include /home/me/plain.txt --include '/home/me/it'\\''s' --target DIR`])
    expect(press(model, 'left', 'enter').model.marks).toHaveLength(2)
    expect(press(model, 'home', 'space').model.marks).toHaveLength(1)
    expect(press(model, 'u').model.marks).toEqual([])
  })

  test('compares a version with the one before it, or with the one that is marked, older first', () => {
    const version = (size: number, ...snapshots: Snapshot[]): { node: Node; snapshots: Snapshot[] } => ({ node: nodeOf(utf8('plain.txt'), { size }), snapshots })
    const asked = press(start(), 'enter', 'v').model
    const { model } = update(asked, { kind: 'done', work: asked.work!.id, result: { kind: 'versions', versions: [version(1, OLD), version(2, NEW)], without: 0 } })
    const pair = { kind: 'compare', before: { snapshot: OLD, node: { size: 1 } }, after: { snapshot: NEW, node: { size: 2 } } }
    expect(press(model, 'd').requests).toMatchObject([pair])
    expect(press(model, 'space', 'down', 'd').requests).toMatchObject([pair])
    expect(press(model, 'down', 'd').model.notice).toBe('there is no version before this one')
  })

  test('what comes after it was given up changes nothing, and a failure is a line or a page', () => {
    const asked = press(start(), 'enter', 'enter').model
    const stopped = press(asked, 'escape').model
    expect(update(stopped, { kind: 'done', work: asked.work!.id, result: { kind: 'text', body: previewBody(utf8('late'), 4) } }).model).toBe(stopped)
    const failed = (message: string): Model => update(asked, { kind: 'failed', work: asked.work!.id, message }).model
    expect(screen(failed('pack 12 is gone')).at(-1)).toBe('pack 12 is gone')
    expect(shownView(failed('long '.repeat(40)))).toMatchObject({ kind: 'text', title: 'that did not work' })
  })

  test('q and Ctrl-C end it, also while a line is typed', () => {
    expect(press(start(), 'q').model.end).toBe('quit')
    expect(press(start(), 'r', 'ctrl-c').model.end).toBe('interrupted')
    expect(press(start(), 'r', 'q').model).toMatchObject({ end: undefined, prompt: { line: { before: 'q' } } })
  })
})

describe('the screen of browse', () => {
  test.each([[80, 24], [40, 10], [20, 5], [200, 60]])('has as many rows as a window of %i by %i and none that is wider', (width, rows) => {
    const { model } = press(start({ columns: width, rows }), 'enter')
    for (const one of [start({ columns: width, rows }), model, press(model, 'r', ...'a/very/long/folder/that/fits/no/small/window/世界世界').model, press(model, 'i').model, press(model, '?').model]) {
      const frame = frameOf(one)
      expect(frame.rows).toHaveLength(rows)
      for (const line of screen(one)) expect([line, columns(line) <= width]).toEqual([line, true])
      if (frame.cursor !== undefined) expect(frame.cursor.column).toBeLessThan(width)
    }
  })

  test('a smaller window keeps what is chosen in sight', () => {
    const { model } = press(start({ columns: 80, rows: 24 }), 'enter', 'end')
    expect(screen(update(model, { kind: 'resize', size: { columns: 40, rows: 5 } }).model)[2]).toMatch(/^> .* 世界$/)
    expect(screen(update(model, { kind: 'resize', size: { columns: 10, rows: 3 } }).model)).toEqual(['too small'])
  })

  test('shows escape sequences and bytes that are no text escaped, and names of any width in their column', () => {
    const { model } = press(start(), 'enter')
    const rows = screen(model).slice(1, 6)
    expect(rows.map((row) => row.slice(55 - 11))).toEqual(['plain.txt', 'bad\\xff', 'esc\\x1b[31m', 'it\'s', '世界'])
  })

  test('NO_COLOR leaves colours out and the chosen row still shows', () => {
    const row = { spans: [{ text: 'a', style: 'added' as const }, { text: 'b\x1b[2J' }] }
    expect(painted(row, 10, true)).toBe('\x1b[32ma\x1b[0mb?[2J')
    expect(painted(row, 10, false)).toBe('ab?[2J')
    expect(painted({ ...row, isReverse: true }, 2, false)).toBe('\x1b[7ma\x1b[0m\x1b[7m…\x1b[0m')
  })

  test('wide, combining and picture characters take the columns that they take', () => {
    expect(['abc', '世界', 'e\u0301', '한글', '✅', '㉈', '🌢', '｡'].map(columns)).toEqual([3, 4, 1, 4, 2, 1, 1, 1])
  })
})

describe('a folder in memory', () => {
  test('stays a stretch around what is seen, however far one goes', () => {
    const at = (from: number, count: number): { nodes: Node[]; isEnd: boolean } => ({ nodes: Array.from({ length: count }, (_, i) => nodeOf(utf8(String(from + i).padStart(7, '0')))), isEnd: false })
    let window = windowOf({ nodes: [], isEnd: true }, at(0, 256), 20)
    for (let read = 256; read < 100_000; read += 256) {
      window = withPage(select(window, window.items.length - 1, 20), { name: undefined, direction: 'after' }, at(read, 256), 20)
      expect(window.items.length).toBeLessThanOrEqual(1024)
      expect(Buffer.from(window.items[window.selected]!.name).toString()).toBe(String(read - 1).padStart(7, '0'))
    }
    expect(window.isStart).toBe(false)
    const first = Number(Buffer.from(window.items[0]!.name).toString())
    const back = withPage(select(window, 0, 20), { name: undefined, direction: 'before' }, at(first - 256, 256), 20)
    expect(back.items).toHaveLength(1024)
    expect(Buffer.from(back.items[back.selected]!.name).toString()).toBe(String(first).padStart(7, '0'))
    expect(back.isEnd).toBe(false)
  })
})

describe('what browse makes of bytes, paths and keys', () => {
  test('text is shown as text, cut at a whole character, and other bytes in hexadecimal', () => {
    const lines = (body: Uint8Array, size: number, width = 80): string[] => bodyLines(previewBody(body, size), width).map(({ text }) => text)
    expect(lines(utf8('a\tb\r\n\x1b[0m\n'), 9)).toEqual(['a       b', '\\x1b[0m'])
    expect(lines(utf8('é世').subarray(0, 4), 100)).toEqual(['é', '(the first 4 of 100 bytes)'])
    expect(lines(bytes('\0A'), 2)).toEqual([`00000000  00 41${' '.repeat(44)}.A`])
    expect(lines(utf8('some words'), 10, 7)).toEqual(['some', 'words'])
    expect(lines(new Uint8Array(0), 0)).toEqual(['(an empty file)'])
  })

  test('what is marked in one folder is restored together, but for names that no pattern can hold', () => {
    const place = (path: Uint8Array, type: Node['type'] = 'file', snapshot = NEW): { snapshot: Snapshot; path: Uint8Array; node: Node } => ({ snapshot, path, node: nodeOf(utf8('x'), { type }) })
    const steps = restoreSteps([place(utf8('/a/x')), place(utf8('/a/[y]')), place(bytes('/a/\xff')), place(utf8('/a/end ')), place(utf8('/b/dir'), 'directory'), place(utf8('/a/x'), 'file', OLD)], utf8('/to'))
    expect(steps.map(({ snapshot, path, include, target }) => [snapshot === NEW, Buffer.from(path!).toString('latin1'), include, Buffer.from(target).toString()])).toEqual([
      [true, '/a', ['/a/x', '/a/\\[y\\]'], '/to'],
      [true, '/a/\xff', [], '/to'],
      [true, '/a/end ', [], '/to'],
      [true, '/b/dir', [], '/to/dir'],
      [false, '/a/x', [], '/to'],
    ])
  })

  test('the deepest folder that paths have in common', () => {
    expect([['/a/b', '/a/c/d'], ['/a/b', '/a'], ['/a/b'], ['/x', '/y'], []].map((paths) => Buffer.from(commonPath(paths.map(utf8))).toString())).toEqual(['/a', '/a', '/a/b', '/', '/'])
  })

  test('keys by their names, and none for what is no character', () => {
    expect([keyOf('G', { name: 'g', sequence: 'G' }), keyOf('\r', { name: 'return' }), keyOf(' ', { name: 'space' }), keyOf('\x03', { name: 'c', ctrl: true }), keyOf('\x1b', { name: 'escape', meta: true }), keyOf('\ufffd', {}), keyOf('世', {})])
      .toEqual([{ name: 'G', text: 'G' }, { name: 'enter' }, { name: 'space', text: ' ' }, { name: 'ctrl-c' }, { name: 'escape' }, undefined, { name: '世', text: '世' }])
  })
})
