import { BackupError } from '../../index.ts'
import type { Command } from '../command.ts'
import { completionOf, SHELLS } from '../completion.ts'
import { display } from '../display.ts'
import { suggestion } from '../suggest.ts'

export const command: Command = {
  usage: 'completion bash|zsh|fish',
  summary: 'Prints a script by which a shell completes commands and options of nacre. It needs no repository.',
  example: ['completion bash > ~/.local/share/bash-completion/completions/nacre', 'have bash complete from the next start on'],
  options: {},
  positionals: [1, 1],
  async run({ args, output, everyCommand }) {
    const wanted = args.positionals[0]!
    const shell = SHELLS.find((name) => name === wanted)
    if (shell === undefined) throw new BackupError('INVALID_ARGUMENT', `there is no completion for "${display(wanted)}"${suggestion(wanted, SHELLS)}: bash, zsh or fish`)
    output.result(completionOf(shell, await everyCommand()).trimEnd())
    return 0
  },
}
