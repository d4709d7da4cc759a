/** Runs one command: arguments, context, the library's work, and what to say of its end. */
import { rmSync } from 'node:fs'
import { BackupError, isBackupError, openBackend, openRepository, parseLocation, type Repository } from '../index.ts'
import { cacheDir } from './cache-dir.ts'
import type { Arguments, Command, Context } from './command.ts'
import { type CommandName, COMMANDS } from './commands.ts'
import { display } from './display.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { createOutput, type Output } from './output.ts'
import { helpOf, parseArguments } from './parse.ts'
import { readPassword, takeSecretsFromEnvironment } from './password.ts'
import { interruption } from './signals.ts'

export async function runCommand(name: CommandName, argv: readonly string[]): Promise<number> {
  takeSecretsFromEnvironment()
  const isJson = argv.includes('--json')
  let output = createOutput({ json: isJson, quiet: false, verbose: argv.includes('-v') || argv.includes('--verbose') })
  try {
    const { command } = await COMMANDS[name].load()
    const beforeDashes = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
    if (beforeDashes.includes('--help') || beforeDashes.includes('-h')) {
      output.result(await helpOf(command))
      return EXIT.done
    }
    const args = parseArguments(argv, command)
    output = createOutput({ json: args.flag('json'), quiet: args.flag('quiet'), verbose: args.flag('verbose') })
    return await withContext(command, args, output)
  } catch (error) {
    return report(error, output)
  }
}

async function withContext(command: Command, args: Arguments, output: Output): Promise<number> {
  const signal = interruption()
  const cache = cacheDir(args.text('cache-dir'), args.flag('no-cache'), output)
  let repository: Repository | undefined
  let password: Promise<Uint8Array> | undefined
  const context: Context = {
    args,
    output,
    signal,
    cacheFolder: cache.path,
    location: () => locationOf(args),
    password: () => (password ??= readPassword({ file: args.text('password-file'), command: args.text('password-command'), fd: args.text('password-fd') }, false)),
    async openRepository() {
      const backend = await openPlace(locationOf(args))
      repository = await openRepository({ backend, password: await context.password(), cacheFolder: cache.path, onNotice: (message) => output.warn(`nacre: ${display(message)}`), signal })
      return repository
    },
  }
  try {
    return await command.run(context)
  } finally {
    await repository?.[Symbol.asyncDispose]()
    if (cache.isTemporary) rmSync(cache.path, { recursive: true, force: true })
  }
}

function locationOf(args: Arguments): string {
  const location = args.text('repo') ?? process.env['NACRE_REPOSITORY']
  if (location === undefined || location === '') throw new BackupError('INVALID_ARGUMENT', 'which repository? name it with -r LOCATION or NACRE_REPOSITORY')
  return location
}

/** A folder that is not there holds no repository. */
async function openPlace(location: string): ReturnType<typeof openBackend> {
  try {
    return await openBackend(parseLocation(location))
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
    throw new BackupError('REPOSITORY_NOT_FOUND', `there is no repository at ${location}: there is no such folder; "nacre init" makes one`, { cause: error, path: location })
  }
}

/** One clear line; a stack only for what is a bug, and only when more was asked for. */
function report(error: unknown, output: Output): number {
  const isOurs = isBackupError(error)
  const message = error instanceof Error ? error.message : String(error)
  const code = isOurs ? error.code : 'BUG'
  if (output.isJson) output.json({ type: 'error', code, message, ...(isOurs && error.path !== undefined ? { path: error.path } : {}) })
  const lines = message.split('\n').map(display).join('\n')
  output.warn(isOurs ? `nacre: ${lines}` : `nacre: ${lines} (this is a bug in nacre; -v shows where)`)
  if (!isOurs && output.isVerbose && error instanceof Error) output.warn(error.stack ?? '')
  return isOurs ? exitCodeOf(error.code) : EXIT.failed
}
