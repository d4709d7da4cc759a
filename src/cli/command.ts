/** What a command is: its options, and a function from them to an exit code. */
import type { Backend, Repository } from '../index.ts'
import type { Output } from './output.ts'

export interface OptionSpec {
  readonly describe: string
  /** `flag` takes no value; `text` one; `texts` one each time it is given. */
  readonly kind: 'flag' | 'text' | 'texts'
  readonly alias?: string
  /** Name of the value in help. */
  readonly value?: string
}

export interface Arguments {
  /** As written, by `rawArguments`. */
  readonly positionals: readonly string[]
  flag(name: string): boolean
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  /** A path, which need not be text; so are positional arguments, by `argumentBytes`. */
  path(name: string): string | Uint8Array | undefined
  paths(name: string): readonly (string | Uint8Array)[]
  /** Values of several options in the order in which they were written. */
  inOrder(names: readonly string[]): readonly { readonly name: string; readonly value: string }[]
  /** What stands behind `--`; it is among the positionals too. */
  readonly rest: readonly string[]
}

export interface Context {
  readonly args: Arguments
  readonly output: Output
  readonly signal: AbortSignal
  readonly cacheFolder: string
  /** @param looks - whether the command only looks, and begins with a list of the snapshots */
  openRepository(options?: { readonly looks?: boolean }): Promise<Repository>
  /** Where the repository is, without opening it. */
  openPlace(): Promise<Backend>
  /** The password that opens the repository; asked for once. */
  password(): Promise<Uint8Array>
  /** The location as it was given. */
  location(): string
  /** All commands, for those that tell of them. */
  everyCommand(): Promise<readonly CommandDescription[]>
}

/** A command with all that it says of itself. */
export interface CommandDescription {
  readonly name: string
  /** One line. */
  readonly summary: string
  readonly command: Command
  /** Its own and everybody's. */
  readonly options: Readonly<Record<string, OptionSpec>>
  /** What the first argument may be, where that is one of few words. */
  readonly words: readonly string[]
}

export interface Command {
  /** What follows the program's name. */
  readonly usage: string
  readonly summary: string
  readonly example: readonly [command: string, what: string]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Least and most positional arguments. */
  readonly positionals: readonly [number, number]
  /** Work that goes on when nobody reads its results any more. */
  readonly outlivesReader?: boolean
  /** Ends in order when it is asked to, however long that takes; else a second signal, or some seconds, end it. */
  readonly endsItself?: boolean
  run(context: Context): Promise<number>
}
