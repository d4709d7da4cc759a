/** Manual pages, made of what --help prints: one of the program and one of each command. */
import { programVersion } from '../index.ts'
import type { CommandDescription, OptionSpec } from './command.ts'
import { GLOBAL_OPTIONS } from './options.ts'

const EXIT_STATUS: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'done (a mode or owner that the system refused is a warning)'],
  ['1', 'failed or stopped early; check found errors'],
  ['2', 'wrong usage'],
  ['3', 'done, but some source files could not be read, or some targets not written'],
  ['10', 'there is no repository'],
  ['11', 'busy, or fenced by a prune'],
  ['12', 'wrong password'],
  ['130', 'interrupted'],
]

/** The page of the program: nacre(1). */
export function programPage(commands: readonly CommandDescription[]): string {
  return page('nacre', 'deduplicating, encrypted backups', [
    section('SYNOPSIS', '.B nacre\n.I COMMAND\n[OPTION]... [ARGUMENT]...'),
    section('COMMANDS', commands.map(({ name, summary }) => item(`.B ${roff(name)}`, `${roff(summary)}; see\n.BR ${roff(`nacre-${name}`)} (1)`)).join('\n')),
    section('OPTIONS', options(GLOBAL_OPTIONS)),
    section('EXIT STATUS', EXIT_STATUS.map(([code, meaning]) => item(`.B ${code}`, roff(meaning))).join('\n')),
  ])
}

/** The page of a command: nacre-backup(1). */
export function commandPage({ name, summary, command }: CommandDescription): string {
  const [example, what] = command.example
  return page(`nacre-${name}`, summary, [
    section('SYNOPSIS', `.B nacre\n${roff(command.usage)}${Object.keys(command.options).length > 0 ? ' [OPTION]...' : ''}`),
    section('DESCRIPTION', roff(command.summary)),
    ...(Object.keys(command.options).length > 0 ? [section('OPTIONS', options(command.options))] : []),
    section('OPTIONS OF EVERY COMMAND', options(GLOBAL_OPTIONS)),
    section('EXAMPLE', `.nf\nnacre ${roff(example)}\n.fi\n.RS\n${roff(what)}\n.RE`),
    section('SEE ALSO', '.BR nacre (1)'),
  ])
}

function page(name: string, summary: string, sections: readonly string[]): string {
  const title = name.toUpperCase()
  return [`.TH ${quoted(title)} 1 "" ${quoted(`nacre ${programVersion()}`)} "nacre"`, section('NAME', `${roff(name)} \\- ${roff(summary)}`), ...sections, ''].join('\n')
}

function section(title: string, body: string): string {
  return `.SH ${title}\n${body}`
}

function item(term: string, body: string): string {
  return `.TP\n${term}\n${body}`
}

function options(specs: Readonly<Record<string, OptionSpec>>): string {
  return Object.entries(specs).map(([name, { alias, value, describe }]) => {
    const names = `${alias === undefined ? '' : `\\-${alias}, `}\\-\\-${roff(name)}`
    return item(value === undefined ? `.B ${names}` : `.BI ${quoted(`${names} `)} ${quoted(roff(value))}`, roff(describe))
  }).join('\n')
}

/** Text as roff takes it: backslashes, dashes that are copied, and no line that looks like a request. */
function roff(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replace(/^(?=[.'])/gm, '\\&')
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '\\(dq')}"`
}
