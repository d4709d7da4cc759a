/**
 * Completion for shells, made of what the commands say of themselves: names, options, and words that
 * are one of few. Everything else is left to the shell, which completes names of files.
 */
import { choicesOf } from './choices.ts'
import type { CommandDescription, OptionSpec } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function completionOf(shell: Shell, commands: readonly CommandDescription[]): string {
  return { bash, zsh, fish }[shell](commands)
}

type NamedOption = readonly [name: string, spec: OptionSpec]

function optionsOf({ options }: CommandDescription): NamedOption[] {
  return Object.entries(options)
}

function spellings([name, { alias }]: NamedOption): string[] {
  return alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`]
}

function bash(commands: readonly CommandDescription[]): string {
  const cases = commands.map((described) => {
    const options = optionsOf(described)
    const values = options.filter(([, { kind }]) => kind !== 'flag')
    const choices = values.flatMap((option) => {
      const words = choicesOf(option[1].value)
      return words.length === 0 ? [] : [`        ${spellings(option).join('|')}) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur")); return ;;`]
    })
    const rest = values.flatMap(spellings).join('|')
    return [
      `    ${described.name})`,
      '      case $prev in',
      ...choices,
      ...(rest === '' ? [] : [`        ${rest}) return ;;`]),
      '      esac',
      `      options='${options.flatMap(spellings).join(' ')}'`,
      `      words='${described.words.join(' ')}' ;;`,
    ].join('\n')
  })
  return `# bash completion for nacre. Load it with:  source <(nacre completion bash)
_nacre() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= options= words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -r|--repo|--password-file|--password-command|--password-fd|--cache-dir) ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    '') COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help' -- "$cur")); return ;;
    help) COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$cur")); return ;;
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ -n $words && $i -eq $((COMP_CWORD - 1)) ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o default -F _nacre nacre
`
}

/** Within single quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function zsh(commands: readonly CommandDescription[]): string {
  const describe = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&')
  const argument = ({ kind, value }: OptionSpec): string => {
    if (kind === 'flag') return ''
    const words = choicesOf(value)
    return `:${describe(value ?? 'value')}:${words.length > 0 ? `(${words.join(' ')})` : '_files'}`
  }
  const cases = commands.map((described) => {
    const specs = optionsOf(described).flatMap((option) => {
      const [, spec] = option
      const star = spec.kind === 'texts' ? '*' : ''
      return spellings(option).map((spelling) => `      ${quoted(`${star}${spelling}[${describe(spec.describe)}]${argument(spec)}`)}`)
    })
    const first = described.words.length > 0 ? [`      ${quoted(`1:what:(${described.words.join(' ')})`)}`] : []
    return `    ${described.name})\n      _arguments -s \\\n${[...specs, ...first, "      '*:argument:_files'"].join(' \\\n')} ;;`
  })
  return `#compdef nacre
# zsh completion for nacre. Put it into a folder of $fpath as _nacre, or:  source <(nacre completion zsh)
_nacre() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${describe(name)}:${describe(summary)}`)}`).join('\n')}
    'help:show what the commands do'
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
    help) _describe 'command' commands ;;
  esac
}
if [[ $funcstack[1] == _nacre ]]; then _nacre "$@"; else compdef _nacre nacre; fi
`
}

function fish(commands: readonly CommandDescription[]): string {
  const text = (words: string): string => `'${words.replace(/[\\']/g, '\\$&')}'`
  const lines = commands.flatMap((described) => {
    const isHere = `-n '__fish_seen_subcommand_from ${described.name}'`
    const options = optionsOf(described).map(([name, { alias, kind, value, describe }]) => {
      const words = choicesOf(value)
      const takes = kind === 'flag' ? '' : words.length > 0 ? ` -x -a ${text(words.join(' '))}` : ' -r'
      return `complete -c nacre ${isHere} -l ${name}${alias === undefined ? '' : ` -s ${alias}`}${takes} -d ${text(describe)}`
    })
    const words = described.words.length > 0 ? [`complete -c nacre ${isHere} -a ${text(described.words.join(' '))}`] : []
    return [`complete -c nacre -f -n __fish_use_subcommand -a ${described.name} -d ${text(described.summary)}`, ...options, ...words]
  })
  return `# fish completion for nacre. Load it with:  nacre completion fish | source\n${lines.join('\n')}\n`
}
