/**
 * The SDK's client, made as nacre needs it: it tries nothing again by itself (the retry wrapper does,
 * and knows what a lost reply means), adds no checksums of its own (its default CRC32 breaks some
 * services; nacre sends SHA-256), and gives up on a connection over which nothing moves.
 *
 * The SDK takes 0.3 s to load, so it is imported only here, when a location asks for it.
 */
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'

import { BackupError, messageOf } from '../../util/errors.ts'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import type { S3Place, S3Settings } from './s3-place.ts'

export type Sdk = typeof import('@aws-sdk/client-s3')

export interface S3Access {
  readonly sdk: Sdk
  readonly client: S3Client
  readonly place: S3Place
  readonly settings: S3Settings
}

/** Where nobody says otherwise, and what services outside Amazon take for their only one. */
const defaultRegion = 'us-east-1'
const connectMs = 15_000
/** How long a connection may be silent. Services answer a large upload only when they have kept it. */
export const silenceMsDefault = 60_000

const silentLogger = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** @throws {BackupError} INVALID_ARGUMENT */
export async function openS3(place: S3Place, settings: S3Settings, connections: number): Promise<S3Access> {
  const tls = await tlsOptions(settings)
  const { silenceMs = silenceMsDefault } = settings
  // Else the SDK writes to stderr that it will want a newer Node one day.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  const sdk = await import('@aws-sdk/client-s3')
  const agent = { keepAlive: true, maxSockets: connections + 4 }
  const make = (region: string | undefined): S3Client =>
    new sdk.S3Client({
      ...(region === undefined ? {} : { region }),
      ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
      ...pathStyle(place, settings),
      maxAttempts: 1,
      // What it has to say comes as errors.
      logger: silentLogger,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // It would cost a round trip for each pack, to be refused before the bytes and not after.
      expectContinueHeader: false,
      requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs, httpAgent: agent, httpsAgent: { ...agent, ...tls } },
    } as S3ClientConfig)
  const region = settings.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION']
  const client = make(region)
  if (region !== undefined || (await hasRegion(client))) return { sdk, client, place, settings }
  client.destroy()
  return { sdk, client: make(defaultRegion), place, settings }
}

export function sendOptions(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}

function pathStyle(place: S3Place, { addressing }: S3Settings): { forcePathStyle?: boolean } {
  if (addressing !== undefined) return { forcePathStyle: addressing === 'path' }
  const hasEndpoint = place.endpoint !== undefined || process.env['AWS_ENDPOINT_URL_S3'] !== undefined || process.env['AWS_ENDPOINT_URL'] !== undefined
  return hasEndpoint ? { forcePathStyle: true } : {}
}

/** Whether a profile or the machine says which. */
async function hasRegion(client: S3Client): Promise<boolean> {
  try {
    return (await client.config.region()) !== ''
  } catch {
    return false
  }
}

async function tlsOptions({ caFile }: S3Settings): Promise<{ ca?: string[] }> {
  const path = caFile ?? process.env['AWS_CA_BUNDLE']
  if (path === undefined || path === '') return {}
  let text: string
  try {
    text = await readFile(path, 'latin1')
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `the file of certificates ${path} cannot be read: ${messageOf(cause)}`, { cause, path })
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new BackupError('INVALID_ARGUMENT', `${path} holds no certificate (PEM)`, { path })
  return { ca: [...rootCertificates, text] }
}
