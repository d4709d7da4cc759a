#!/usr/bin/env node
/** The program: finds the command, and loads that one and nothing else. */
import { programVersion } from '../index.ts'
import { type CommandName, COMMANDS, overview } from './commands.ts'
import { display, displayJson } from './escape.ts'
import { GLOBAL_OPTIONS } from './options.ts'
import { rawArguments } from './raw-arguments.ts'
import { listenForStatus } from './status-signal.ts'
import { watchStdout } from './stdout.ts'
import { suggestion } from './suggest.ts'

const USAGE = 2

/** Position of the command's name: the first word that is neither an option nor the value of one. */
function commandAt(argv: readonly string[]): number {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (!word.startsWith('-')) return i
    if (word === '--') return -1
    const name = word.replace(/^--?/, '')
    const takesValue = Object.entries(GLOBAL_OPTIONS).some(([long, spec]) => spec.kind === 'text' && (name === long || name === spec.alias))
    if (takesValue) i++
  }
  return -1
}

async function main(argv: readonly string[]): Promise<number> {
  const at = commandAt(argv)
  const name = argv[at]
  const before = at === -1 ? argv : argv.slice(0, at)
  if (before.includes('--version')) {
    process.stdout.write(`nacre ${programVersion()}\n`)
    return 0
  }
  if (name === 'help' && argv[at + 1] !== undefined) return main([argv[at + 1]!, '--help'])
  if (name === undefined || name === 'help') {
    const isAsked = name === 'help' || before.includes('--help') || before.includes('-h')
    if (!isAsked && argv.includes('--json')) return misused('which command? "nacre help" lists them', true)
    ;(isAsked ? process.stdout : process.stderr).write(overview())
    return isAsked ? 0 : USAGE
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    return misused(`there is no command "${name}"${suggestion(name, Object.keys(COMMANDS), 'nacre ')}; "nacre help" lists them`, argv.includes('--json'))
  }
  const { runCommand } = await import('./run.ts')
  return runCommand(name as CommandName, [...before, ...argv.slice(at + 1)])
}

/** As any other error, before there is a command that could report it. */
function misused(message: string, isJson: boolean): number {
  if (isJson) process.stdout.write(`${displayJson({ type: 'error', code: 'INVALID_ARGUMENT', message })}\n`)
  process.stderr.write(`nacre: ${display(message)}\n`)
  return USAGE
}

listenForStatus()
watchStdout()
process.exitCode = await main(rawArguments())
