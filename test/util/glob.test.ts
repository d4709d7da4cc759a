import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { globExpression } from '../../src/util/glob.ts'
import { textOfBytes } from '../../src/util/text-bytes.ts'
import { expectRefused } from './expect-error.ts'

describe('globExpression', () => {
  test.each([
    ['*.txt', ['a.txt', '.txt', 'ü.txt'], ['a.txt.gz', 'a/b.txt', 'atxt']],
    ['file-00?.log', ['file-001.log', 'file-00ß.log', 'file-00😀.log'], ['file-00.log', 'file-0012.log']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x', 'x']],
    ['[!a-c]x', ['dx', 'éx'], ['ax', 'x', '/x']],
    ['[]x]', [']', 'x'], ['[', 'y']],
    ['[a-]', ['a', '-'], ['b']],
    ['[^[:digit:]_]', ['a', 'é'], ['1', '_']],
    ['[[:upper:]]*', ['Abc', 'Ébc'], ['abc']],
    ['a\\*b', ['a*b'], ['axb']],
    ['/a/**/b', ['/a/b', '/a/x/b', '/a/x/y/b'], ['/a/xb', '/b']],
    ['**/b', ['b', 'a/b', 'x/y/b'], ['ab', 'b/c']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'a/']],
    ['a**b', ['ab', 'axxb'], ['a/b']],
    ['(x|y)+{2}$^.', ['(x|y)+{2}$^.'], ['x']],
    ['line\nbreak*', ['line\nbreak', 'line\nbreak\n'], ['line']],
  ])('%s', (glob, yes, no) => {
    const expression = globExpression(glob, false)
    for (const text of yes) expect([text, expression.test(text)]).toEqual([text, true])
    for (const text of no) expect([text, expression.test(text)]).toEqual([text, false])
  })

  test('agrees with the shell on generated globs and names', () => {
    const letters = ['a', 'b', '-', '.', '*', '?', '[ab]', '[!a]', '[a-c]', '\\*', '\\a']
    let seed = 11
    const random = (most: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % most
    const globs = Array.from({ length: 150 }, () => Array.from({ length: 1 + random(4) }, () => letters[random(letters.length)]!).join(''))
    const names = Array.from({ length: 60 }, () => Array.from({ length: 1 + random(4) }, () => 'ab-.*c'[random(6)]!).join(''))
    const script = 'while IFS= read -r g; do for n in "$@"; do case "$n" in $g) printf 1;; *) printf 0;; esac; done; echo; done'
    const said = execFileSync('sh', ['-c', script, 'sh', ...names], { input: `${globs.join('\n')}\n`, encoding: 'utf8', env: { LC_ALL: 'C' } }).trimEnd().split('\n')
    for (const [i, glob] of globs.entries()) {
      const expression = globExpression(glob, false)
      expect([glob, names.map((name) => (expression.test(name) ? '1' : '0')).join('')]).toEqual([glob, said[i]])
    }
  })

  test('without regard to case, letters of all scripts are the same', () => {
    expect(globExpression('STRASSE-Ä*', true).test('strasse-änderung')).toBe(true)
  })

  test('a byte that is no text is one character', () => {
    const name = textOfBytes(Buffer.from([0x61, 0xff, 0xc3, 0xa9]))
    expect(name).toBe('a\udcffé')
    expect(globExpression('a??', false).test(name)).toBe(true)
    expect(globExpression('a\udcff*', false).test(name)).toBe(true)
  })

  test.each([['[ab', 'character 1'], ['x[[:nothing:]]', 'no class'], ['ab\\', 'character 3']])('%s is refused with the place', (glob, words) => {
    expect(expectRefused(() => globExpression(glob, false), 'INVALID_ARGUMENT').message).toContain(words)
  })
})
