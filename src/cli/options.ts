/** Options that every command takes. */
import type { OptionSpec } from './command.ts'

/** How a place that is far away is reached. */
export const PLACE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'limit-upload': { kind: 'text', value: 'SIZE', describe: 'send so many bytes a second at most (NACRE_LIMIT_UPLOAD)' },
  'limit-download': { kind: 'text', value: 'SIZE', describe: 'fetch so many bytes a second at most (NACRE_LIMIT_DOWNLOAD)' },
  connections: { kind: 'text', value: 'N', describe: 'ask the storage so many things at once at most (NACRE_CONNECTIONS)' },
  's3-region': { kind: 'text', value: 'REGION', describe: 'region of the bucket (AWS_REGION)' },
  's3-addressing': { kind: 'text', value: 'path|host', describe: 'where the bucket stands in URLs: "path" where an endpoint is given (NACRE_S3_ADDRESSING)' },
  's3-storage-class': { kind: 'text', value: 'CLASS', describe: 'storage class of new objects (NACRE_S3_STORAGE_CLASS)' },
  's3-sse': { kind: 'text', value: 'AES256|aws:kms[:KEY]', describe: 'encryption by the service, besides nacre\'s own (NACRE_S3_SSE)' },
  's3-ca': { kind: 'text', value: 'FILE', describe: 'certificates to trust besides those of the system (AWS_CA_BUNDLE)' },
}

export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  repo: { kind: 'text', alias: 'r', value: 'LOCATION', describe: 'where the repository is (NACRE_REPOSITORY)' },
  'password-file': { kind: 'text', value: 'FILE', describe: 'read the password from a file that only you can read (NACRE_PASSWORD_FILE)' },
  'password-command': { kind: 'text', value: 'COMMAND', describe: 'run a command that prints the password (NACRE_PASSWORD_COMMAND)' },
  'password-fd': { kind: 'text', value: 'N', describe: 'read the password from an open descriptor' },
  'cache-dir': { kind: 'text', value: 'DIR', describe: 'where the local catalogue is kept (NACRE_CACHE_DIR)' },
  'cache-limit': { kind: 'text', value: 'SIZE', describe: 'what the cache of a repository may take besides the index, 4G (NACRE_CACHE_LIMIT)' },
  'no-cache': { kind: 'flag', describe: 'keep no catalogue between runs' },
  ...PLACE_OPTIONS,
  json: { kind: 'flag', describe: 'print JSON on stdout' },
  quiet: { kind: 'flag', alias: 'q', describe: 'print results and warnings only' },
  verbose: { kind: 'flag', alias: 'v', describe: 'print more' },
  help: { kind: 'flag', alias: 'h', describe: 'show help' },
  version: { kind: 'flag', describe: 'show the version' },
}
