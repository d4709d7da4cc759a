/** Damage to a repository in memory, and repairs of it. */
import type { Backend, ObjectType } from '../../../src/backend/backend.ts'
import { repairFiles } from '../../../src/features/repair/repair-files.ts'
import { repairIndex } from '../../../src/features/repair/repair-index.ts'
import { repairPacks } from '../../../src/features/repair/repair-packs.ts'
import type { RepairOptions } from '../../../src/features/repair/types.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import { namesIn, PERSON } from '../../repository/support.ts'

export const APPLY: RepairOptions = { person: PERSON, threads: 0, apply: true }
export const PLAN: RepairOptions = { person: PERSON, threads: 0 }

export async function put(backend: Backend, type: ObjectType, name: string, bytes: Uint8Array): Promise<void> {
  await backend.remove({ type, name })
  await backend.create({ type, name }, [bytes])
}

export async function flip(backend: Backend, type: ObjectType, name: string): Promise<void> {
  const bytes = await backend.load({ type, name })
  bytes[Math.floor(bytes.length / 2)]! ^= 0x40
  await put(backend, type, name, bytes)
}

/** Names by size, the largest first. */
export async function largest(backend: Backend, type: ObjectType): Promise<string[]> {
  const sizes = new Map<string, number>()
  for (const name of await namesIn(backend, type)) sizes.set(name, (await backend.stat({ type, name }))!.sizeBytes)
  return [...sizes].sort((a, b) => b[1] - a[1]).map(([name]) => name)
}

/** Everything one after another, as a person would. */
export async function repairAll(repository: Repository, source: string, options = APPLY): Promise<void> {
  await repairIndex(repository, options)
  await repairPacks(repository, options)
  await repairFiles(repository, { ...options, from: [source] })
}
