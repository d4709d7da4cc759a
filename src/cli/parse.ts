/**
 * From argv to arguments, by yargs. It is told to be plain: several values are given by repeating
 * an option, never greedily, ids stay strings, and what is not known is an error that names the
 * nearest that is.
 */
import { readFileSync } from 'node:fs'
import yargs, { type Options } from 'yargs'
import { BackupError } from '../index.ts'
import type { Arguments, Command, OptionSpec } from './command.ts'
import { GLOBAL_OPTIONS } from './options.ts'
import { suggestion } from './suggest.ts'

const PLAIN = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'duplicate-arguments-array': true,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': true,
  'strip-aliased': true,
  'unknown-options-as-args': true,
}

function yargsOptions(specs: Readonly<Record<string, OptionSpec>>): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => {
      const common = { describe: spec.describe, ...(spec.alias === undefined ? {} : { alias: spec.alias }) }
      return [name, spec.kind === 'flag' ? { ...common, boolean: true } : { ...common, string: true, nargs: 1 }]
    }),
  )
}

function instance(argv: readonly string[], command: Command): ReturnType<typeof yargs> {
  return yargs([...argv])
    .scriptName('nacre')
    .parserConfiguration(PLAIN)
    .locale('en')
    .exitProcess(false)
    .help(false)
    .version(false)
    .usage(`nacre ${command.usage}\n\n${command.summary}`)
    .options(yargsOptions(command.options))
    .group(Object.keys(command.options), 'Options:')
    .options(yargsOptions(GLOBAL_OPTIONS))
    .group(Object.keys(GLOBAL_OPTIONS), 'For every command:')
    .example([[`nacre ${command.example[0]}`, command.example[1]]])
    .fail((message: string, error: Error | undefined) => {
      throw error ?? usageError(message, command)
    })
}

function usageError(message: string, command: Command): BackupError {
  return new BackupError('INVALID_ARGUMENT', `${message}\nusage: nacre ${command.usage}`)
}

export function helpOf(command: Command): Promise<string> {
  return instance([], command).getHelp()
}

/** @param argv - what follows the command's name */
export function parseArguments(argv: readonly string[], command: Command): Arguments {
  const known = { ...command.options, ...GLOBAL_OPTIONS }
  const split = argv.indexOf('--')
  const parsed = instance(split === -1 ? argv : argv.slice(0, split), command).parseSync() as Record<string, unknown>
  const words = (parsed['_'] as unknown[]).map(String)
  for (const word of words) {
    if (word.startsWith('-') && word !== '-') throw unknownOption(word, Object.keys(known), command)
  }
  const positionals = [...words, ...(split === -1 ? [] : argv.slice(split + 1))]
  const [least, most] = command.positionals
  if (positionals.length < least) throw usageError('something is missing', command)
  if (positionals.length > most) throw usageError(`"${positionals[most]}" is one argument too many`, command)
  for (const [name, spec] of Object.entries(known)) {
    if (spec.kind === 'text' && Array.isArray(parsed[name])) throw usageError(`--${name} was given more than once`, command)
  }
  return {
    positionals,
    flag: (name) => (Array.isArray(parsed[name]) ? (parsed[name] as unknown[]).includes(true) : parsed[name] === true),
    text: (name) => parsed[name] as string | undefined,
    texts: (name) => (parsed[name] === undefined ? [] : [parsed[name]].flat().map(String)),
    bytesOf: rawArgument,
  }
}

function unknownOption(word: string, known: readonly string[], command: Command): BackupError {
  const name = word.replace(/^-+/, '').replace(/=.*$/, '')
  return usageError(`unknown option ${word.replace(/=.*$/, '')}${suggestion(name, known, '--')}`, command)
}

/** Node reads arguments as text and loses bytes that are none; Linux still has them. */
function rawArgument(argument: string): string | Uint8Array {
  if (!argument.includes('\ufffd') || process.platform !== 'linux') return argument
  const raw = readFileSync('/proc/self/cmdline')
  for (let start = 0; start < raw.length; ) {
    const zero = raw.indexOf(0, start)
    const end = zero === -1 ? raw.length : zero
    const bytes = raw.subarray(start, end)
    if (bytes.toString('utf8') === argument) return new Uint8Array(bytes)
    start = end + 1
  }
  return argument
}
