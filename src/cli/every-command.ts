/** All commands with all that they say of themselves, for what describes the program as a whole. */
import type { Command, OptionSpec } from './command.ts'
import { COMMANDS } from './commands.ts'
import { GLOBAL_OPTIONS } from './options.ts'

export interface DescribedCommand {
  readonly name: string
  /** One line. */
  readonly summary: string
  readonly command: Command
  /** Its own and everybody's. */
  readonly options: Readonly<Record<string, OptionSpec>>
  /** What the first argument may be, where that is one of few words. */
  readonly words: readonly string[]
}

export async function everyCommand(): Promise<DescribedCommand[]> {
  const all: DescribedCommand[] = []
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const { command } = await load()
    all.push({ name, summary, command, options: { ...command.options, ...GLOBAL_OPTIONS }, words: choicesOf(command.usage.split(' ')[1]) })
  }
  return all
}

/** `tar|zip` is two words to choose from; `FILE` and `N` are none. */
export function choicesOf(value: string | undefined): readonly string[] {
  return value !== undefined && /^[a-z0-9%]+(\|[a-z0-9%]+)+$/.test(value) ? value.split('|') : []
}
