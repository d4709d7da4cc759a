/** Which packs are damaged: by the lists, and by reading those that are there. */
import { BackupError } from '../../util/errors.ts'
import { listPacks } from '../../repository/index-loader.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import { packsOfIndex } from '../check.ts'
import { readPacks } from '../check-packs.ts'
import type { RepairOptions } from './types.ts'

export interface PacksOptions extends RepairOptions {
  /** Beginnings of ids; all packs where there is none. */
  readonly packs?: readonly string[] | undefined
}

const ID_BEGINNING = /^[0-9a-f]{8,64}$/

/** Ids of damaged packs that the index states, with what is wrong of each. */
export async function findDamagedPacks(repository: Repository, index: StatedIndex, options: PacksOptions): Promise<Map<string, string>> {
  const { signal } = options
  const stated = index.objects.flatMap((object) => (object.isReplaced ? [] : object.packs))
  const chosen = chooser(options.packs ?? [], stated.map(({ packId }) => packId))
  const listed = await listPacks(repository.backend, signal)
  const { problems, sound } = packsOfIndex(stated, listed)
  const damaged = new Map<string, string>()
  for (const { packId, code, message } of problems) {
    if (!chosen(packId)) continue
    // Made after the list was.
    if (code === 'pack_missing' && (await repository.backend.stat({ type: 'packs', name: packId }, { signal })) !== undefined) continue
    damaged.set(packId, message)
  }
  const read = await readPacks(repository, {
    listed: new Map([...sound].filter(([packId]) => chosen(packId))),
    readData: { kind: 'all' },
    threads: options.threads,
    signal,
    onEvent(event) {
      if (event.type === 'expectation') options.onEvent?.({ type: 'expectation', objects: event.packs, bytes: event.bytes })
      else if (event.type === 'bytes' || event.type === 'object') options.onEvent?.(event)
    },
  })
  for (const { packId, messages } of read.troubles) damaged.set(packId, messages.slice(0, 3).join('; '))
  return damaged
}

/** @throws {BackupError} INVALID_ARGUMENT - what is named is no pack of the index */
function chooser(beginnings: readonly string[], stated: readonly string[]): (packId: string) => boolean {
  if (beginnings.length === 0) return () => true
  const wanted = beginnings.map((text) => text.toLowerCase().replace(/^packs\//, ''))
  for (const text of wanted) {
    if (!ID_BEGINNING.test(text)) throw new BackupError('INVALID_ARGUMENT', `a pack is named by its id, eight digits of it at least, not by "${text}"`)
    if (!stated.some((packId) => packId.startsWith(text))) throw new BackupError('INVALID_ARGUMENT', `no index object states a pack "${text}"; "nacre check" names what is damaged, and "nacre repair index" states what is not in the index`)
  }
  return (packId) => wanted.some((text) => packId.startsWith(text))
}
