import { BackupError, createBackend, createRepository, type Location, type LockSetting, networkFileSystem, parseLocation } from '../../index.ts'
import type { Command, Context } from '../command.ts'
import { display } from '../display.ts'
import { parseDuration, parseSize, size } from '../format.ts'
import { readPassword } from '../password.ts'
import { placeSettings } from '../place-settings.ts'
import { person } from '../person.ts'
import { askYes } from '../prompt.ts'

const SECOND_MS = 1000
const LOCK_MS_LIMIT = 36_500 * 24 * 60 * 60 * SECOND_MS

export const command: Command = {
  usage: 'init',
  summary: 'Makes a repository. Whoever loses its password loses what is in it: nobody can bring it back.',
  example: ['-r /backup/repo init', 'make a repository in a folder'],
  options: {
    'accept-network': { kind: 'flag', describe: 'make it on a network file system (it must do what docs/cli.md says)' },
    'create-bucket': { kind: 'flag', describe: 'make the bucket of an s3: location if there is none' },
    'object-lock': { kind: 'text', value: 'MODE:TIME', describe: 'lock what is stored against deletion: governance:30d, or compliance:30d, which nobody can undo (s3: only)' },
    'chunk-size': { kind: 'text', value: 'SIZE', describe: 'average size of a chunk, 16K to 1M, a power of two (128K)' },
  },
  positionals: [0, 0],
  async run({ args, output, signal, location, cacheFolder }) {
    const text = args.text('chunk-size')
    const chunkBytes = text === undefined ? undefined : parseSize(text)
    if (text !== undefined && chunkBytes === undefined) throw new BackupError('INVALID_ARGUMENT', `"${text}" is no size; write it as 128K`)
    const objectLock = lockOf(args.text('object-lock'))
    const place = parseLocation(location())
    await acceptNetwork(place, args.flag('accept-network'), { output, signal })
    const password = await readPassword({ file: args.text('password-file'), command: args.text('password-command'), fd: args.text('password-fd') }, { isNew: true, signal, what: 'password for the new repository' })
    await using backend = await createBackend(place, { ...placeSettings(args, output), createBucket: args.flag('create-bucket'), objectLock: objectLock !== undefined })
    const { id, chunker, unguarded } = await createRepository({ backend, password, chunkBytes, person: person(), objectLock, cacheFolder })
    if (unguarded !== undefined) output.warn(`nacre: ${display(unguarded)}: backups need nothing more, and prune will ask for --exclusive`)
    if (output.isJson) output.json({ type: 'summary', repository_id: id, location: backend.location, chunk_average: chunker.averageBytes, unguarded: unguarded ?? null, object_lock: objectLock === undefined ? null : { mode: objectLock.mode, seconds: objectLock.spanMs / 1000 } })
    else {
      output.result(`made repository ${id} at ${display(backend.location)} (chunks of ${size(chunker.averageBytes)} on average)`)
      if (objectLock !== undefined) output.info(lockText(objectLock, args.text('object-lock')!.replace(/^.*:/, '')))
      output.info('Keep the password: without it everything in the repository is lost.')
    }
    return 0
  },
}

/** In compliance mode a slip of the pen costs money until its end: a span is asked for with its unit. */
function lockOf(text: string | undefined): LockSetting | undefined {
  if (text === undefined) return undefined
  const [, mode, span] = /^(governance|compliance):(.+)$/.exec(text) ?? []
  const spanMs = span === undefined ? undefined : parseDuration(span)
  if (mode === undefined || spanMs === undefined || spanMs < SECOND_MS || spanMs > LOCK_MS_LIMIT) throw new BackupError('INVALID_ARGUMENT', `--object-lock takes governance:TIME or compliance:TIME, with a time such as 30d (d, h, min, s; a hundred years at most), not "${text}"`)
  return { mode: mode as LockSetting['mode'], spanMs: Math.floor(spanMs / SECOND_MS) * SECOND_MS }
}

function lockText({ mode }: LockSetting, span: string): string {
  const who = mode === 'compliance' ? 'nobody, the owner of the account included, can delete it before' : 'only who may bypass governance retention can delete it before'
  return `What is stored is locked for ${span}: ${who}. Each prune locks what is still used for as long again, so prune more often than that.`
}

/**
 * A probe races from this machine alone; what other machines see of a network file system only its
 * administrator knows.
 */
async function acceptNetwork(place: Location, isAccepted: boolean, { output, signal }: Pick<Context, 'output' | 'signal'>): Promise<void> {
  if (place.kind !== 'local') return
  const kind = await networkFileSystem(place.path)
  if (kind === undefined) return
  output.warn(`nacre: ${display(place.path)} lies on a network file system (${display(kind)}); each machine that uses the repository must see at once what the others have made there, and a hard link to a name that is taken must fail`)
  if (isAccepted || (await askYes('Is that so?', signal)) === true) return
  throw new BackupError('INVALID_ARGUMENT', 'no repository was made; when the network file system does that, give --accept-network')
}
