/** How a repository that is far away is reached: from options and environment to settings of the library. */
import { type BackendSettings, BackupError } from '../index.ts'
import type { Arguments } from './command.ts'
import { display } from './display.ts'
import { duration, parseSize } from './format.ts'
import type { Output } from './output.ts'

/** Below this a try that failed is nobody's concern. */
const NOTABLE_PAUSE_MS = 2_000

/** @throws {BackupError} INVALID_ARGUMENT */
export function placeSettings(args: Arguments, output: Output): BackendSettings {
  const given = (name: string): string | undefined => args.text(name) ?? nonEmpty(process.env[`NACRE_${name.toUpperCase().replaceAll('-', '_')}`])
  const addressing = given('s3-addressing')
  if (addressing !== undefined && addressing !== 'path' && addressing !== 'host') throw invalid(`--s3-addressing is "path" or "host", not "${addressing}"`)
  const encryption = given('s3-sse')
  if (encryption !== undefined && !/^(?:AES256|aws:kms(?::\S+)?)$/.test(encryption)) throw invalid(`--s3-sse is AES256, aws:kms or aws:kms:KEY, not "${encryption}"`)
  return {
    uploadBytesPerSecond: rate('limit-upload', given('limit-upload')),
    downloadBytesPerSecond: rate('limit-download', given('limit-download')),
    connections: connections(given('connections')),
    s3: { region: given('s3-region'), addressing, storageClass: given('s3-storage-class'), encryption, caFile: given('s3-ca') },
    onRetry: ({ error, pauseMs }) => {
      if (pauseMs >= NOTABLE_PAUSE_MS) output.warn(`nacre: ${display(error.message)}; trying again in ${duration(pauseMs)}`)
    },
  }
}

function rate(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes === undefined || bytes === 0) throw invalid(`--${name} takes a size such as 2M for a second, not "${text}"`)
  return bytes
}

function connections(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,2}$/.test(text)) throw invalid(`--connections takes a number from 1 to 999, not "${text}"`)
  return Number(text)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', message)
}
