import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { completionOf } from '../../src/cli/completion.ts'
import { everyCommand } from '../../src/cli/every-command.ts'
import { place, temporaryFolder } from '../support/nacre.ts'

const all = await everyCommand()

/** What bash offers for words of which the last is being typed. */
function offered(...words: readonly string[]): string[] {
  const script = `${completionOf('bash', all)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nacre; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' }).trim().split('\n')
}

describe('completion', () => {
  test('bash is offered commands, options of the command, and words to choose from', () => {
    expect(offered('nacre', '')).toEqual([...Object.keys(COMMANDS), 'help'])
    expect(offered('nacre', 'sn')).toEqual(['snapshots'])
    expect(offered('nacre', '-r', '/some/repo', 'rest')).toEqual(['restore'])
    expect(offered('nacre', 'restore', '--ta')).toContain('--target')
    expect(offered('nacre', 'init', '--ta')).toEqual([''])
    expect(offered('nacre', 'dump', '--format', '')).toEqual(['tar', 'zip'])
    expect(offered('nacre', 'completion', 'f')).toEqual(['fish'])
    expect(offered('nacre', 'restore', '--target', 'x')).toEqual([''])
  })

  test('the scripts are sound to the shells themselves', () => {
    const folder = temporaryFolder()
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const file = join(folder, shell)
      writeFileSync(file, completionOf(shell, all))
      const hasShell = spawnSync(shell, ['-c', 'true']).error === undefined
      if (shell === 'bash') expect(hasShell).toBe(true)
      if (hasShell) expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
      for (const name of Object.keys(COMMANDS)) expect(readFileSync(file, 'utf8')).toContain(name)
    }
  })

  test('the command prints one, and names the shells that there are', () => {
    const at = place()
    expect(at.run('completion', 'bash')).toMatchObject({ code: 0, stdout: completionOf('bash', all), stderr: '' })
    expect(at.run('completion', 'tcsh')).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh or fish') as string })
  }, 60_000)
})

test('every command has a manual page that says what --help says', () => {
  for (const { name, summary, command } of all) {
    const file = join(import.meta.dirname, '../../man', `nacre-${name}.1`)
    expect(existsSync(file)).toBe(true)
    const text = readFileSync(file, 'utf8').replaceAll('\\-', '-')
    expect(text).toContain(summary)
    for (const option of Object.keys(command.options)) expect(text).toContain(`--${option}`)
  }
  const overview = readFileSync(join(import.meta.dirname, '../../man/nacre.1'), 'utf8').replaceAll('\\-', '-')
  for (const name of Object.keys(COMMANDS)) expect(overview).toContain(`nacre-${name}`)
})
