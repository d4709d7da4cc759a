/**
 * The storage of the model and what must always hold of it. Blobs are letters; a pack holds one. All
 * of it is plain data, so that a state can be copied, compared and counted.
 */

export interface GcPlan {
  readonly condemned: readonly string[]
  readonly sweep: readonly string[]
  /** Snapshots that the plan saw: for the mistake of trusting them later. */
  readonly seen: readonly string[]
}

export interface GcVerdict {
  readonly packs: readonly string[]
  readonly sweep: readonly string[]
  readonly swept: readonly string[]
  /** Index objects that were replaced before. */
  readonly index: readonly string[]
}

export interface Store {
  /** Name → blob. */
  packs: Record<string, string>
  /** Name → packs that it states, and index objects that it replaces. */
  index: Record<string, { states: Record<string, string>; replaces: string[] }>
  sessions: string[]
  /** `F` is a fence, anything else the blobs that a snapshot needs. */
  registers: Record<string, string>
  forgotten: string[]
  plans: Record<number, GcPlan>
  verdicts: Record<number, GcVerdict>
  done: number[]
  /** Commits of which a duplicate is still on its way. */
  late: [sid: string, needs: string][]
  /** Not stored: every snapshot that was ever committed, and those that an unforget has promised. */
  committed: string[]
  promised: string[]
}

export function emptyStore(): Store {
  return { packs: {}, index: {}, sessions: [], registers: {}, forgotten: [], plans: {}, verdicts: {}, done: [], late: [], committed: [], promised: [] }
}

/** Create-if-absent: whether this call made it. */
export function createAbsent<T>(objects: Record<string, T>, name: string | number, value: T): boolean {
  if (name in objects) return false
  objects[name] = value
  return true
}

export function numbers(objects: Record<number, unknown>): number[] {
  return Object.keys(objects).map(Number)
}

export function newest(store: Store): number {
  return Math.max(0, ...numbers(store.plans), ...numbers(store.verdicts), ...store.done)
}

/** Packs of the newest plan, or of its verdict. */
export function condemned(store: Store): readonly string[] {
  const n = newest(store)
  return store.verdicts[n]?.packs ?? store.plans[n]?.condemned ?? []
}

/** What the newest verdict lists as swept, by it and by all before. */
export function swept(store: Store): readonly string[] {
  const n = Math.max(0, ...numbers(store.verdicts))
  const verdict = store.verdicts[n]
  return verdict === undefined ? [] : [...verdict.sweep, ...verdict.swept]
}

/** Blob → packs, by all listed index objects, those aside that another replaces. */
export function stated(store: Store): Record<string, string[]> {
  const replaced = replacedIndex(store)
  const places: Record<string, string[]> = {}
  for (const [name, { states }] of Object.entries(store.index)) {
    if (replaced.includes(name)) continue
    for (const [pack, blob] of Object.entries(states)) if (!(places[blob] ??= []).includes(pack)) places[blob].push(pack)
  }
  for (const packs of Object.values(places)) packs.sort()
  return places
}

export function replacedIndex(store: Store): string[] {
  return Object.values(store.index).flatMap(({ replaces }) => replaces).filter((name) => name in store.index)
}

/**
 * What is wrong, or undefined: a committed snapshot that is not forgotten has all its blobs.
 * @param ignoresGhosts - whether everyone takes a register under a swept sid for none
 */
export function violation(store: Store, ignoresGhosts = true): string | undefined {
  const gone = swept(store)
  const ghosts = ignoresGhosts ? gone : []
  const places = stated(store)
  for (const [sid, needs] of Object.entries(store.registers)) {
    if (needs === 'F' || store.forgotten.includes(sid) || ghosts.includes(sid)) continue
    for (const blob of needs) {
      if (!Object.values(store.packs).includes(blob)) return `data: ${sid} needs ${blob}, and no pack holds it`
      if (!(places[blob] ?? []).some((pack) => pack in store.packs)) return `index: ${sid} needs ${blob}, and no index object says where it is`
    }
  }
  for (const sid of store.committed) if (!(sid in store.registers) && !gone.includes(sid)) return `register: ${sid} is gone, and no verdict swept it`
  for (const sid of store.promised) {
    if (!store.forgotten.includes(sid) && (!(sid in store.registers) || gone.includes(sid))) return `unforget: ${sid} was given back and then swept`
  }
  return undefined
}
