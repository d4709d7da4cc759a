/** All commands with all that they say of themselves. */
import { choicesOf } from './choices.ts'
import type { CommandDescription } from './command.ts'
import { COMMANDS } from './commands.ts'
import { GLOBAL_OPTIONS } from './options.ts'

export async function everyCommand(): Promise<CommandDescription[]> {
  const all: CommandDescription[] = []
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const { command } = await load()
    all.push({ name, summary, command, options: { ...command.options, ...GLOBAL_OPTIONS }, words: choicesOf(command.usage.split(' ')[1]) })
  }
  return all
}
