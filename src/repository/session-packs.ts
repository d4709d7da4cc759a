/** The pack writer of a session: its packs are of the holder's group, and sealed with its data key. */
import type { Envelope } from './envelope.ts'
import type { PackEntry } from './pack-entry.ts'
import { createPackWriter, type PackWriter } from './pack-writer.ts'
import type { Repository } from './repository.ts'
import type { Session } from './session.ts'

export interface SessionPacksOptions {
  readonly signal: AbortSignal | undefined
  /** Envelopes of frames that other sessions sealed, behind the session's own. */
  readonly moreEnvelopes?: readonly Envelope[] | undefined
  /** Called when a pack is durable and its stored size was checked. */
  readonly onDurable: (pack: PackEntry) => void
}

export function createSessionPacks({ backend, keyring, config }: Repository, session: Session, { moreEnvelopes = [], ...options }: SessionPacksOptions): PackWriter {
  return createPackWriter({
    backend,
    repositoryId: keyring.repositoryId,
    group: keyring.group,
    session: Buffer.from(session.sid, 'hex'),
    dataKey: session.dataKey,
    envelopes: [...session.envelopes, ...moreEnvelopes],
    packBytes: config.packBytes,
    ...options,
  })
}
