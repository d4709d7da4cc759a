/** Runs one command: arguments, context, the library's work, and what to say of its end. */
import { rmSync } from 'node:fs'
import { type Backend, type BackendSettings, BackupError, isBackupError, locationText, openBackend, openRepository, parseLocation, programVersion, type Repository } from '../index.ts'
import { cacheDir, cacheLimit } from './cache-dir.ts'
import type { Arguments, Command, Context } from './command.ts'
import { type CommandName, COMMANDS } from './commands.ts'
import { display } from './display.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { createOutput, type Output } from './output.ts'
import { helpOf } from './help.ts'
import { expectLongRun } from './long-run.ts'
import { parseArguments } from './parse.ts'
import { placeSettings } from './place-settings.ts'
import { readPassword, takeSecretsFromEnvironment } from './password.ts'
import { interruption } from './signals.ts'
import { answerStatus } from './status-signal.ts'
import { hasStdoutFailed, outliveReader } from './stdout.ts'

export async function runCommand(name: CommandName, argv: readonly string[]): Promise<number> {
  takeSecretsFromEnvironment()
  expectLongRun()
  const isJson = argv.includes('--json')
  let output = createOutput({ json: isJson, quiet: false, verbose: argv.includes('-v') || argv.includes('--verbose') })
  process.on('uncaughtException', (error) => process.exit(report(error, output)))
  answerStatus(() => output.warn(`nacre: ${name} has begun`))
  try {
    const { command } = await COMMANDS[name].load()
    const beforeDashes = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
    if (beforeDashes.includes('--help') || beforeDashes.includes('-h')) {
      output.result(helpOf(command, process.stdout.columns))
      return EXIT.done
    }
    if (beforeDashes.includes('--version')) {
      output.result(`nacre ${programVersion()}`)
      return EXIT.done
    }
    const args = parseArguments(argv, command)
    output = createOutput({ json: args.flag('json'), quiet: args.flag('quiet'), verbose: args.flag('verbose') })
    if (command.outlivesReader === true) outliveReader()
    const code = await withContext(command, args, output)
    return code === EXIT.done && hasStdoutFailed() ? EXIT.failed : code
  } catch (error) {
    return report(error, output)
  }
}

async function withContext(command: Command, args: Arguments, output: Output): Promise<number> {
  const signal = interruption(command.endsItself === true)
  const cache = cacheDir(args.text('cache-dir'), args.flag('no-cache'), output)
  const removeCache = (): void => rmSync(cache.path, { recursive: true, force: true })
  // However it ends: a reader that went away ends it by process.exit.
  if (cache.isTemporary) process.once('exit', removeCache)
  let repository: Repository | undefined
  let backend: Backend | undefined
  let password: Promise<Uint8Array> | undefined
  const context: Context = {
    args,
    output,
    signal,
    cacheFolder: cache.path,
    location: () => locationOf(args),
    openPlace: () => openPlace(locationOf(args), placeSettings(args, output)),
    everyCommand: async () => (await import('./every-command.ts')).everyCommand(),
    password: () => (password ??= readPassword({ file: args.text('password-file'), command: args.text('password-command'), fd: args.text('password-fd') }, { isNew: false, signal, what: 'password for the repository' })),
    async openRepository({ looks = false } = {}) {
      backend = await openPlace(locationOf(args), placeSettings(args, output))
      repository = await openRepository({ backend, password: await context.password(), cacheFolder: cache.path, cacheLimitBytes: cacheLimit(args.text('cache-limit')), looks, onNotice: (message) => output.warn(`nacre: ${display(message)}`), signal })
      return repository
    },
  }
  try {
    return await command.run(context)
  } finally {
    await repository?.[Symbol.asyncDispose]()
    await backend?.[Symbol.asyncDispose]()
    if (cache.isTemporary) removeCache()
  }
}

function locationOf(args: Arguments): string {
  const location = args.text('repo') ?? process.env['NACRE_REPOSITORY']
  if (location === undefined || location === '') throw new BackupError('INVALID_ARGUMENT', 'which repository? name it with -r LOCATION or NACRE_REPOSITORY')
  return location
}

/** A folder that is not there holds no repository, and what is no folder neither. */
async function openPlace(location: string, settings: BackendSettings): ReturnType<typeof openBackend> {
  const place = parseLocation(location)
  try {
    return await openBackend(place, settings)
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
    const text = place.kind === 'local' ? location : locationText(place)
    throw new BackupError('REPOSITORY_NOT_FOUND', `there is no repository at ${text}: ${error.message}; "nacre init" makes one`, { cause: error, path: text })
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
  const wantsMore = output.isVerbose || (process.env['NACRE_DEBUG'] ?? '') !== ''
  if (wantsMore && error instanceof Error) {
    if (!isOurs) output.warn((error.stack ?? '').split('\n').map(display).join('\n'))
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) output.warn(`nacre: because: ${display(cause.message)}`)
  }
  return isOurs ? exitCodeOf(error.code) : EXIT.failed
}
