/** Storage that lies: lists that are not what is there, and writes that are acknowledged and cut short. */
import type { Backend, ObjectInfo, ObjectType } from '../../src/backend/backend.ts'
import { BackupError } from '../../src/util/errors.ts'
import type { Random } from './torture.ts'

export const LIES = ['fails', 'is empty', 'lacks one', 'names one twice'] as const
export type Lie = (typeof LIES)[number]

export interface ListLie {
  readonly type: ObjectType
  readonly lie: Lie
  /** Which list of that type, from 1; undefined is all of them. */
  readonly nth: number | undefined
}

export function withLyingLists(inner: Backend, { type, lie, nth }: ListLie, random: Random): Backend & { told(): number } {
  let lists = 0
  let told = 0
  let left: string | undefined
  const change = (infos: ObjectInfo[]): ObjectInfo[] => {
    if (infos.length === 0) return infos
    told++
    if (lie === 'is empty') return []
    // Always the same, where all lists lie.
    left = infos.some(({ name }) => name === left) ? left : random.pick(infos).name
    if (lie === 'lacks one') return infos.filter(({ name }) => name !== left)
    return infos.flatMap((info) => (info.name === left ? [info, info] : [info]))
  }
  return {
    ...inner,
    told: () => told,
    async *list(wanted, options) {
      const infos: ObjectInfo[] = []
      for await (const info of inner.list(wanted, options)) infos.push(info)
      if (wanted !== type || (nth !== undefined && ++lists !== nth)) return yield* infos
      if (lie !== 'fails') return yield* change(infos)
      told++
      yield* infos.slice(0, infos.length / 2)
      throw new BackupError('BACKEND_FAILED', `the list of ${wanted} broke off`)
    },
  }
}

/** Every n-th creation keeps a part of the bytes, down to none, and says that all is well. */
export function withCutWrites(inner: Backend, every: number, random: Random): Backend & { cut(): readonly string[] } {
  let creations = 0
  const cut: string[] = []
  return {
    ...inner,
    cut: () => cut,
    async create(ref, parts, options) {
      if (ref.type === 'probes' || ++creations % every !== 0) return inner.create(ref, parts, options)
      const whole = Buffer.concat(parts)
      const length = random.pick([0, Math.floor(whole.length / 2), whole.length - 1])
      const result = await inner.create(ref, [new Uint8Array(whole.subarray(0, length))], options)
      if (result === 'created') cut.push(`${ref.type}/${ref.name}`)
      return result
    },
  }
}
