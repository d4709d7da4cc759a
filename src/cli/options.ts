/** Options that every command takes. */
import type { OptionSpec } from './command.ts'

export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  repo: { kind: 'text', alias: 'r', value: 'LOCATION', describe: 'where the repository is (NACRE_REPOSITORY)' },
  'password-file': { kind: 'text', value: 'FILE', describe: 'read the password from a file that only you can read (NACRE_PASSWORD_FILE)' },
  'password-command': { kind: 'text', value: 'COMMAND', describe: 'run a command that prints the password (NACRE_PASSWORD_COMMAND)' },
  'password-fd': { kind: 'text', value: 'N', describe: 'read the password from an open descriptor' },
  'cache-dir': { kind: 'text', value: 'DIR', describe: 'where the local catalogue is kept (NACRE_CACHE_DIR)' },
  'no-cache': { kind: 'flag', describe: 'keep no catalogue between runs' },
  json: { kind: 'flag', describe: 'print JSON on stdout' },
  quiet: { kind: 'flag', alias: 'q', describe: 'print results and warnings only' },
  verbose: { kind: 'flag', alias: 'v', describe: 'print more' },
  help: { kind: 'flag', alias: 'h', describe: 'show help' },
  version: { kind: 'flag', describe: 'show the version' },
}
