/**
 * From argv to arguments, by yargs. It is told to be plain: several values are given by repeating
 * an option, never greedily, ids stay strings, and what is not known is an error that names the
 * nearest that is.
 */
import { createRequire } from 'node:module'
import type { Options } from 'yargs'
import { BackupError } from '../index.ts'
import type { Arguments, Command, OptionSpec } from './command.ts'
import { display } from './display.ts'
import { GLOBAL_OPTIONS } from './options.ts'
import { argumentBytes, isText } from './raw-arguments.ts'
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

type Specs = Readonly<Record<string, OptionSpec>>

/** As one file of CommonJS it loads in half the time that its modules take. */
const yargs = createRequire(import.meta.url)('yargs/yargs') as typeof import('yargs').default

function parsedBy(argv: readonly string[], specs: Specs, command: Command): Record<string, unknown> {
  return yargs([...argv])
    .parserConfiguration(PLAIN)
    .locale('en')
    .exitProcess(false)
    .help(false)
    .version(false)
    .options(yargsOptions(specs))
    .fail((message: string) => {
      throw usageError(explained(message, specs, argv), command)
    })
    .parseSync()
}

function yargsOptions(specs: Specs): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]): [string, Options] => {
      const alias = spec.alias === undefined ? {} : { alias: spec.alias }
      return [name, spec.kind === 'flag' ? { ...alias, boolean: true } : { ...alias, string: true, nargs: 1 }]
    }),
  )
}

/** What yargs says of the one mistake that it finds by itself. */
function explained(message: string, specs: Specs, argv: readonly string[]): string {
  const given = /^Not enough arguments following: (.+)$/.exec(message)?.[1]
  if (given === undefined) return message
  const [name, spec] = Object.entries(specs).find(([long, { alias }]) => long === given || alias === given) ?? [given, undefined]
  const next = argv[argv.findIndex((word) => word === `--${name}` || word === `-${spec?.alias}`) + 1]
  const such = next?.startsWith('-') === true ? `; one that begins with "-" is written --${name}=${next}` : ''
  return `--${name} needs a value (--${name}=${spec?.value ?? 'VALUE'})${such}`
}

/** What the command's usage calls the first argument that is not there. */
function missingWord(command: Command, given: number): string {
  return command.usage.split(' ').slice(1).filter((word) => !/^[[-]/.test(word))[given] ?? 'an argument'
}

function usageError(message: string, command: Command): BackupError {
  return new BackupError('INVALID_ARGUMENT', `${display(message)}\nusage: nacre ${command.usage}`)
}

/** @param argv - what follows the command's name */
export function parseArguments(argv: readonly string[], command: Command): Arguments {
  const known: Specs = { ...command.options, ...GLOBAL_OPTIONS }
  const split = argv.indexOf('--')
  const before = split === -1 ? argv : argv.slice(0, split)
  const parsed = parsedBy(before, known, command)
  const words = (parsed['_'] as unknown[]).map(String)
  for (const word of words) {
    if (word.startsWith('-') && word !== '-') throw unknownOption(word, Object.keys(known), command)
  }
  const positionals = [...words, ...(split === -1 ? [] : argv.slice(split + 1))]
  const [least, most] = command.positionals
  if (positionals.length < least) throw usageError(`${missingWord(command, positionals.length)} is missing`, command)
  if (positionals.length > most) throw usageError(`"${positionals[most]}" is one argument too many`, command)
  for (const [name, spec] of Object.entries(known)) {
    if (spec.kind === 'text' && Array.isArray(parsed[name])) throw usageError(`--${name} was given more than once`, command)
    if (spec.kind === 'flag' && before.some((word) => word.startsWith(`--${name}=`))) throw usageError(`--${name} takes no value`, command)
  }
  const values = (name: string): string[] => (parsed[name] === undefined ? [] : [parsed[name]].flat().map(String))
  const texts = (name: string): string[] => {
    for (const value of values(name)) if (!isText(value)) throw usageError(`the value of --${name} is not valid UTF-8: "${value}"`, command)
    return values(name)
  }
  return {
    positionals,
    flag: (name) => values(name).includes('true'),
    text: (name) => texts(name)[0],
    texts,
    path: (name) => values(name).map(argumentBytes)[0],
    paths: (name) => values(name).map(argumentBytes),
    inOrder: (names) => valuesInOrder(before, known).filter(({ name }) => names.includes(name)),
    rest: split === -1 ? [] : argv.slice(split + 1),
  }
}

/** The parser sorts values by their options; where their order counts it is read once more. */
function valuesInOrder(words: readonly string[], specs: Specs): { name: string; value: string }[] {
  const found: { name: string; value: string }[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-') || word === '-') continue
    const [, dashes = '', written = '', assigned] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(word) ?? []
    // Of short options in one word only the last can take a value.
    const short = written.at(-1)
    const name = dashes === '--' ? written : Object.keys(specs).find((long) => specs[long]!.alias === short)
    if (name === undefined || specs[name] === undefined || specs[name].kind === 'flag') continue
    const value = assigned ?? words[++i]
    if (value !== undefined) found.push({ name, value })
  }
  return found
}

function unknownOption(word: string, known: readonly string[], command: Command): BackupError {
  const name = word.replace(/^-+/, '').replace(/=.*$/, '')
  return usageError(`unknown option ${word.replace(/=.*$/, '')}${suggestion(name, known, '--')}`, command)
}
