/** What `--help` prints: usage, options with the names of their values, and an example. */
import type { Command, OptionSpec } from './command.ts'
import { GLOBAL_OPTIONS } from './options.ts'

const MOST_COLUMNS = 100
const LEAST_COLUMNS = 40

/** @param columns - of the terminal */
export function helpOf(command: Command, columns = 80): string {
  const width = Math.max(LEAST_COLUMNS, Math.min(columns, MOST_COLUMNS))
  const own = optionLines(command.options)
  const all = optionLines(GLOBAL_OPTIONS)
  const indent = Math.max(...[...own, ...all].map(([option]) => option.length)) + 2
  const list = (lines: readonly OptionLine[]): string => lines.map(([option, what]) => option.padEnd(indent) + wrap(what, width - indent).join(`\n${' '.repeat(indent)}`)).join('\n')
  const [example, what] = command.example
  return [
    `usage: nacre ${command.usage}${own.length > 0 ? ' [OPTION]…' : ''}`,
    wrap(command.summary, width).join('\n'),
    ...(own.length > 0 ? [`Options:\n${list(own)}`] : []),
    `For every command:\n${list(all)}`,
    `Examples:\n  nacre ${example}\n      ${what}`,
  ].join('\n\n')
}

type OptionLine = readonly [option: string, what: string]

function optionLines(specs: Readonly<Record<string, OptionSpec>>): OptionLine[] {
  return Object.entries(specs).map(([name, spec]) => {
    const short = spec.alias === undefined ? '    ' : `-${spec.alias}, `
    return [`  ${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`, spec.describe]
  })
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
