/** Filters: gitignore's rules as git itself has them, and what only nacre knows. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BackupEvent } from '../../src/snapshot/backup-types.ts'
import { CACHE_FOLDER_TAG, type FilterOptions, parsePatternFile, requirePattern } from '../../src/snapshot/filter-rules.ts'
import { caseless, patternOfLine, patternProblem } from '../../src/snapshot/pattern.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { walkTree } from '../../src/snapshot/tree-walk.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { expectRefused, expectRejected } from '../util/expect-error.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'

async function saved(at: SnapshotPlace, source = at.source): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of walkTree(await openTreeReader(at.repository), (await at.latest()).tree)) {
    const text = Buffer.from(path).toString('latin1')
    if (text.startsWith(`${source}/`)) paths.push(text.slice(source.length + 1))
  }
  return paths.sort()
}

function write(root: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

const NAMES = ['a', 'b', 'ab', 'a.txt', 'B.txt', 'foo', 'bar', 'x y', '#c', '!d', 'e[f]', 'g*h', 'k\u00fc'] as const
const PIECES = ['a', 'b', 'foo', 'bar', '*', '**', '?', '*.txt', '[ab]', '[!a]*', '[a-f]oo', 'x\\ y', '\\#c', '\\!d', 'e\\[f\\]', 'g\\*h', 'a*', '*b', 'k\u00fc', 'B.txt', '[[:upper:]]*'] as const
const anyPattern = fc
  .tuple(fc.constantFrom('', '', '', '!'), fc.constantFrom('', '', '/'), fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 3 }), fc.constantFrom('', '', '/', ' ', '\r'))
  .map(([negation, root, pieces, end]) => negation + root + pieces.join('/') + end)
const anyPath = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
const anyIgnoreFile = fc.array(fc.oneof({ weight: 6, arbitrary: anyPattern }, { weight: 1, arbitrary: fc.constantFrom('', '# comment', '   ', '/', '[a') }), { maxLength: 5 }).map((lines) => lines.join('\n'))

describe('files of patterns in folders', () => {
  test('leave out what git would, in generated trees', async () => {
    await using at = await snapshotPlace()
    let round = 0
    let compared = 0
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyPath, { minLength: 5, maxLength: 25 }), anyIgnoreFile, fc.array(fc.tuple(fc.nat(20), anyIgnoreFile), { maxLength: 2 }), async (paths, rootRules, below) => {
        const source = join(at.folder, `tree-${round++}`)
        mkdirSync(source)
        // A name is a file or a folder: the longer path wins.
        const files = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}/`)))
        for (const path of files) write(source, { [path]: path })
        const ignoreFiles = new Map([['', rootRules], ...below.map(([number, rules]) => [dirname(files[number % files.length]!), rules] as const)])
        for (const [folder, rules] of ignoreFiles) write(source, { [join(folder, '.nacreignore')]: rules, [join(folder, '.gitignore')]: rules })
        execFileSync('git', ['init', '-q', source], { env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' } })
        const listed = execFileSync('git', ['-c', 'core.quotePath=false', '-c', 'core.excludesFile=/dev/null', '-c', 'core.ignoreCase=false', 'ls-files', '-z', '--others', '--exclude-standard'], { cwd: source })
        rmSync(join(source, '.git'), { recursive: true })
        await at.save({ paths: [source], allowEmpty: true })
        const wanted = listed.toString('latin1').split('\0').filter((path) => path !== '').sort()
        const folders = new Set(files.flatMap((path) => path.split('/').map((_, i, all) => Buffer.from(all.slice(0, i).join('/')).toString('latin1'))))
        const kept = (await saved(at, source)).filter((path) => !folders.has(path))
        expect(kept, JSON.stringify([...ignoreFiles])).toEqual(wanted)
        compared += files.length
      }),
      { numRuns: 40 },
    )
    expect(compared).toBeGreaterThan(200)
  }, 240_000)

  test('count below the options of the command, are told when they are wrong, and can be switched off', async () => {
    await using at = await snapshotPlace()
    write(at.source, { '.nacreignore': '*.log\n[broken\n', 'a.log': '', 'sub/.nacreignore': '!keep.log\n', 'sub/keep.log': '', 'sub/b.log': '', c: '' })
    const notices: string[] = []
    const onEvent = (event: BackupEvent): void => void (event.type === 'notice' && notices.push(event.message))
    await at.save({ onEvent })
    expect(await saved(at)).toEqual(['.nacreignore', 'c', 'sub', 'sub/.nacreignore', 'sub/keep.log'])
    expect(notices.join()).toContain('.nacreignore:2: the pattern can match nothing: the bracket is not closed (character 1)')
    await at.save({ filter: { rules: [{ kind: 'include', pattern: 'a.log', origin: '--include' }, { kind: 'exclude', pattern: 'keep.log', origin: '--exclude' }] } })
    expect(await saved(at)).toEqual(['.nacreignore', 'a.log', 'c', 'sub', 'sub/.nacreignore'])
    await at.save({ filter: { ignoreFile: null } })
    expect(await saved(at)).toHaveLength(7)
  })
})

describe('a filter', () => {
  test.each<[string, FilterOptions, readonly string[]]>([
    ['of either case', { rules: [{ kind: 'exclude', pattern: 'IMG_[0-9]*.jpg', ignoreCase: true, origin: 'x' }] }, ['big', 'cache', 'cache/CACHEDIR.TAG', 'cache/x', 'keep', 'keep/img.txt', 'old', 'tagged', 'tagged/.nobackup', 'tagged/y']],
    ['that an include takes back', { rules: [{ kind: 'exclude', pattern: '*', origin: 'x' }, { kind: 'include', pattern: 'keep/', origin: 'x' }, { kind: 'include', pattern: 'img*', origin: 'x' }] }, ['keep', 'keep/img.txt', 'keep/img_1.JPG']],
    ['of tagged folders', { folderTags: [{ name: '.nobackup', origin: 'x' }, CACHE_FOLDER_TAG] }, ['big', 'cache', 'cache/CACHEDIR.TAG', 'keep', 'keep/img.txt', 'keep/img_1.JPG', 'old', 'tagged', 'tagged/.nobackup']],
    ['of a tag with another header', { folderTags: [{ name: '.nobackup', header: 'yes', origin: 'x' }] }, ['big', 'cache', 'cache/CACHEDIR.TAG', 'cache/x', 'keep', 'keep/img.txt', 'keep/img_1.JPG', 'old', 'tagged', 'tagged/.nobackup', 'tagged/y']],
    ['of sizes', { largerThanBytes: 1_000_000 }, ['cache', 'cache/CACHEDIR.TAG', 'cache/x', 'keep', 'keep/img.txt', 'keep/img_1.JPG', 'old', 'tagged', 'tagged/.nobackup', 'tagged/y']],
    ['of ages', { olderThanNs: 1_500_000_000_000_000_000n }, ['big', 'cache', 'cache/CACHEDIR.TAG', 'cache/x', 'keep', 'keep/img.txt', 'keep/img_1.JPG', 'tagged', 'tagged/.nobackup', 'tagged/y']],
    ['of what is new', { newerThanNs: 1_500_000_000_000_000_000n }, ['cache', 'keep', 'old', 'tagged']],
  ])('%s leaves what it should', async (_what, filter, wanted) => {
    await using at = await snapshotPlace()
    write(at.source, { 'keep/img_1.JPG': '', 'keep/img.txt': '', 'cache/CACHEDIR.TAG': 'Signature: 8a477f597d28d172789f06886806bc55\n', 'cache/x': 'x', 'tagged/.nobackup': 'no', 'tagged/y': 'y', old: 'old', big: '' })
    truncateSync(join(at.source, 'big'), 1_000_001)
    utimesSync(join(at.source, 'old'), 1e9, 1e9)
    await at.save({ filter })
    expect(await saved(at)).toEqual(wanted)
  })

  test('tells which rule took what', async () => {
    await using at = await snapshotPlace()
    write(at.source, { 'a.log': '', 'b/c': '', d: '', '.nacreignore': '# first\nd\n' })
    const taken: string[] = []
    const onEvent = (event: BackupEvent): void => void (event.type === 'excluded' && taken.push(`${Buffer.from(event.path).toString().slice(at.source.length)} ${event.taken.origin.replace(at.source, '')} ${event.taken.rule}`))
    const rules = parsePatternFile(utf8('*.log\n\nb/\n'), 'list')
    const result = await at.save({ filter: { rules }, dryRun: true, onEvent })
    expect(taken).toEqual(['/a.log list:1 *.log', '/b list:3 b/', '/d /.nacreignore:2 d'])
    expect(result.excluded).toBe(3)
  })

  test('that leaves nothing makes no snapshot, unless that is allowed', async () => {
    await using at = await snapshotPlace()
    write(at.source, { a: '', 'b/c': '' })
    await expectRejected(at.save({ exclude: ['*'] }), 'NOTHING_SELECTED')
    await expect(at.latest()).rejects.toThrow('no snapshot')
    expect((await at.save({ exclude: ['*'], allowEmpty: true })).snapshotId).toBeDefined()
    // Nothing to filter is no mistake.
    mkdirSync(join(at.folder, 'empty'))
    expect((await at.save({ paths: [join(at.folder, 'empty')], exclude: ['*'] })).snapshotId).toBeDefined()
  })

  test('has no say about the folders above a path that was given', async () => {
    await using at = await snapshotPlace()
    write(at.source, { 'tmp/x': '', y: '' })
    await at.save({ exclude: ['tmp', at.source.split('/')[1]!, 'source'] })
    expect(await saved(at)).toEqual(['y'])
  })

  test.each([['[a', 1], ['a[!', 2], ['ab\\', 3], ['!', 1], ['[[:nope:]]', 2], ['x[a-\\', 2]])('refuses the pattern %j and shows where it is wrong', (pattern, character) => {
    const error = expectRefused(() => requirePattern({ kind: 'exclude', pattern, origin: '--exclude' }), 'INVALID_ARGUMENT')
    expect(error.message).toContain('--exclude: the pattern')
    expect(error.message).toContain(`(character ${character})`)
  })

  test('takes patterns that only look wrong', () => {
    for (const pattern of ['[]a]', '[!]a]', 'a\\[', '[\\]]', '\\\\', '[[:alpha:]]', '[a-]', '#x', '*', '[[]']) expect(patternProblem(pattern), pattern).toBeUndefined()
    expect([patternOfLine('a  '), patternOfLine('a\\ '), patternOfLine('# a'), patternOfLine('  '), patternOfLine('a\r')]).toEqual(['a', 'a\\ ', undefined, undefined, 'a'])
  })

  test('of either case matches what git matches with core.ignoreCase', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nacre-case-'))
    try {
      execFileSync('git', ['init', '-q', folder])
      const paths = ['a', 'A', 'b', 'Q', 'aB.TXT', 'Ab.txt', 'x-Y', 'X-y', '-', '_', 'z.tXt', '1']
      for (const pattern of ['a', '[a-c]', '*.txt', '[!a-c]', 'X-[xyz]', '[a-]', '\\a', '[[:upper:]]', '[A-Cq]', '?']) {
        writeFileSync(join(folder, '.gitignore'), pattern)
        const wanted = spawnSync('git', ['-c', 'core.ignoreCase=true', 'check-ignore', '--no-index', '--stdin'], { cwd: folder, input: paths.join('\n'), encoding: 'utf8' }).stdout
        writeFileSync(join(folder, '.gitignore'), caseless(pattern))
        const found = spawnSync('git', ['-c', 'core.ignoreCase=false', 'check-ignore', '--no-index', '--stdin'], { cwd: folder, input: paths.join('\n'), encoding: 'utf8' }).stdout
        expect(found, pattern).toBe(wanted)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)
})
