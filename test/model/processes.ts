/**
 * What runs against the storage of the model, each step one atomic call to it: a backup, a prune, a
 * forget, an unforget, a duplicate that arrives late, and one that must not be, which deletes old
 * records. A process that died is one that is never chosen again, so nothing stands for a crash.
 */
import { condemned, createAbsent, type GcPlan, type GcVerdict, newest, replacedIndex, stated, type Store, swept } from './store.ts'

/** What can be left out of the protocol, to see that the model notices. */
export type Mistake =
  | 'no fence'
  | 'verdict is overwritten'
  | 'condemned packs are not looked at'
  | 'step 5 trusts step 2'
  | 'two generations in flight'
  | 'forgotten since the plan does not count'
  | 'old records are deleted'
  | 'no ghosts'
  | 'session after the index'
  | 'index objects are replaced by halves'

export interface Process {
  readonly kind: 'backup' | 'prune' | 'forget' | 'unforget' | 'late' | 'clean'
  readonly id: string
  /** Name of the next step; `end` when there is none. */
  at: string
  /** What it has learnt so far. */
  know: Record<string, unknown>
}

export interface State {
  store: Store
  processes: Process[]
}

export interface Rules {
  readonly mistake: Mistake | undefined
  /** How often a fenced backup begins again, and a prune looks anew. */
  readonly tries: number
  /** Whether prunes may write packs anew. */
  readonly repacks: boolean
}

/** Answers how many choices there were at this step; `choice` is the one to take. */
type Step = (store: Store, process: Process, choice: number, rules: Rules) => number | void

export function backupOf(id: string, needs: string): Process {
  return { kind: 'backup', id, at: 'begin', know: { needs, attempt: 0 } }
}

export function pruneOf(id: string): Process {
  return { kind: 'prune', id, at: 'begin', know: {} }
}

export function simple(kind: 'forget' | 'unforget' | 'late' | 'clean', id: string): Process {
  return { kind, id, at: 'begin', know: {} }
}

const has = (rules: Rules, mistake: Mistake): boolean => rules.mistake === mistake

function strings(value: unknown): string[] {
  return (value ?? []) as string[]
}

const BACKUP: Record<string, Step> = {
  begin(store, process, _, rules) {
    const sid = `s${process.id}${process.know['attempt'] as number}`
    process.know = { needs: process.know['needs'], attempt: process.know['attempt'], sid }
    if (!has(rules, 'session after the index')) store.sessions.push(sid)
    process.at = 'gc'
  },
  gc(store, process) {
    process.know['bad'] = condemned(store)
    process.at = 'index'
  },
  index(store, process) {
    process.know['places'] = stated(store)
    process.at = 'packs'
  },
  packs(store, process, _, rules) {
    const places = process.know['places'] as Record<string, string[]>
    const missing: string[] = []
    for (const blob of process.know['needs'] as string) {
      const live = (places[blob] ?? []).filter((pack) => pack in store.packs && (has(rules, 'condemned packs are not looked at') || !strings(process.know['bad']).includes(pack)))
      if (live.length === 0) missing.push(blob)
    }
    delete process.know['places']
    delete process.know['bad']
    process.know['missing'] = missing
    process.at = has(rules, 'session after the index') ? 'session' : missing.length > 0 ? 'store' : 'commit'
  },
  session(store, process) {
    store.sessions.push(process.know['sid'] as string)
    process.at = strings(process.know['missing']).length > 0 ? 'store' : 'commit'
  },
  store(store, process) {
    for (const blob of strings(process.know['missing'])) store.packs[`p${process.know['sid'] as string}${blob}`] = blob
    process.at = 'state'
  },
  state(store, process) {
    const states: Record<string, string> = {}
    for (const blob of strings(process.know['missing'])) states[`p${process.know['sid'] as string}${blob}`] = blob
    store.index[`i${process.know['sid'] as string}`] = { states, replaces: [] }
    process.at = 'commit'
  },
  commit(store, process, choice, rules) {
    const sid = process.know['sid'] as string
    if (createAbsent(store.registers, sid, process.know['needs'] as string)) {
      store.committed.push(sid)
      if (choice === 1) store.late.push([sid, process.know['needs'] as string])
      process.at = 'leave'
      return 2
    }
    process.at = (process.know['attempt'] as number) + 1 < rules.tries ? 'again' : 'end'
    return 1
  },
  again(store, process) {
    remove(store.sessions, process.know['sid'] as string)
    process.know = { needs: process.know['needs'], attempt: (process.know['attempt'] as number) + 1 }
    process.at = 'begin'
  },
  leave(store, process) {
    remove(store.sessions, process.know['sid'] as string)
    process.at = 'end'
  },
}

interface View {
  readonly snapshots: Record<string, string>
  readonly forgotten: readonly string[]
}

/** Snapshots that are no ghosts. */
function snapshotsOf(store: Store, rules: Rules): Record<string, string> {
  const gone = has(rules, 'no ghosts') ? [] : swept(store)
  return Object.fromEntries(Object.entries(store.registers).filter(([sid, needs]) => needs !== 'F' && !gone.includes(sid)))
}

function usedBlobs(snapshots: Record<string, string>, isKept: (sid: string) => boolean): string[] {
  return [...new Set(Object.entries(snapshots).flatMap(([sid, needs]) => (isKept(sid) ? [...needs] : [])))].sort()
}

const PRUNE: Record<string, Step> = {
  begin(store, process, _, rules) {
    const n = newest(store)
    const isOpen = n > 0 && !store.done.includes(n)
    process.know = { n: isOpen && !has(rules, 'two generations in flight') ? n : n + 1 }
    process.at = isOpen && !has(rules, 'two generations in flight') ? 'sessions' : 'packs'
  },
  packs(store, process) {
    process.know['listed'] = Object.keys(store.packs).sort()
    process.know['open'] = [...store.sessions]
    process.at = 'snapshots'
  },
  snapshots(store, process, _, rules) {
    process.know['snapshots'] = snapshotsOf(store, rules)
    process.at = 'forgotten'
  },
  forgotten(store, process) {
    process.know['forgotten'] = [...store.forgotten]
    process.at = 'propose'
  },
  /** Loads the index, and proposes what may be unused; of several copies any may be the one to stay. */
  propose(store, process, choice, rules) {
    const view = process.know as unknown as View
    const listed = strings(process.know['listed'])
    const used = usedBlobs(view.snapshots, (sid) => !view.forgotten.includes(sid))
    const places = stated(store)
    const copies = used.map((blob) => (places[blob] ?? []).filter((pack) => listed.includes(pack)))
    if (copies.some((packs) => packs.length === 0)) {
      process.at = 'end'
      return 1
    }
    const ways = copies.reduce((product, packs) => product * packs.length, 1)
    const options = rules.repacks && used.length > 0 ? ways * 2 : ways
    let rest = choice % ways
    const stay = copies.map((packs) => {
      const at = rest % packs.length
      rest = Math.floor(rest / packs.length)
      return packs[at]!
    })
    const ofOpen = listed.filter((pack) => strings(process.know['open']).some((sid) => pack.startsWith(`p${sid}`)))
    const plan: GcPlan = {
      condemned: listed.filter((pack) => !stay.includes(pack) && !ofOpen.includes(pack)),
      sweep: view.forgotten.filter((sid) => sid in view.snapshots),
      seen: Object.keys(view.snapshots),
    }
    const source = choice >= ways ? stay[0] : undefined
    process.know = { n: process.know['n'], plan: source === undefined ? plan : { ...plan, condemned: [...plan.condemned, source] }, source, blob: source === undefined ? undefined : used[0] }
    process.at = source === undefined ? 'plan' : 'copy'
    return options
  },
  copy(store, process) {
    if (!(String(process.know['source']) in store.packs)) return void (process.at = 'end')
    store.packs[`pr${process.id}${process.know['n'] as number}`] = process.know['blob'] as string
    process.at = 'copied'
  },
  copied(store, process) {
    store.index[`ir${process.id}${process.know['n'] as number}`] = { states: { [`pr${process.id}${process.know['n'] as number}`]: process.know['blob'] as string }, replaces: [] }
    process.at = 'plan'
  },
  plan(store, process) {
    const n = process.know['n'] as number
    const made = createAbsent(store.plans, n, process.know['plan'] as GcPlan)
    process.know = { n }
    process.at = made ? 'sessions' : 'end'
  },
  sessions(store, process) {
    const n = process.know['n'] as number
    if (store.verdicts[n] !== undefined) {
      process.know = { n, verdict: store.verdicts[n] }
      process.at = 'sweep'
    } else if (store.plans[n] === undefined) process.at = 'end'
    else {
      process.know = { n, plan: store.plans[n], open: [...store.sessions] }
      process.at = 'fence'
    }
  },
  fence(store, process, _, rules) {
    const open = strings(process.know['open'])
    const sid = open.shift()
    if (sid !== undefined && !has(rules, 'no fence')) createAbsent(store.registers, sid, 'F')
    if (open.length === 0) process.at = 'again'
  },
  again(store, process, _, rules) {
    process.know['snapshots'] = snapshotsOf(store, rules)
    process.at = 'forgotten again'
  },
  'forgotten again'(store, process) {
    process.know['forgotten'] = [...store.forgotten]
    process.at = 'index again'
  },
  'index again'(store, process) {
    process.know['places'] = stated(store)
    process.know['replaced'] = replacedIndex(store)
    process.at = 'decide'
  },
  decide(store, process, choice, rules) {
    const plan = process.know['plan'] as GcPlan
    const view = process.know as unknown as View
    const goes = has(rules, 'forgotten since the plan does not count') ? view.forgotten : plan.sweep.filter((sid) => view.forgotten.includes(sid))
    const used = usedBlobs(view.snapshots, (sid) => !goes.includes(sid) && !(has(rules, 'step 5 trusts step 2') && plan.seen.includes(sid)))
    const places = process.know['places'] as Record<string, string[]>
    const earlier = swept(store)
    const rescued = new Set<string>()
    let isMissing = false
    for (const blob of used) {
      const copies = (places[blob] ?? []).filter((pack) => pack in store.packs)
      if (copies.length === 0) isMissing = true
      else if (copies.every((pack) => plan.condemned.includes(pack))) rescued.add(copies[choice % copies.length]!)
    }
    const verdict: GcVerdict = isMissing
      ? { packs: [], sweep: [], swept: earlier, index: [] }
      : { packs: plan.condemned.filter((pack) => !rescued.has(pack)), sweep: plan.sweep.filter((sid) => view.forgotten.includes(sid)), swept: earlier, index: strings(process.know['replaced']) }
    process.know = { n: process.know['n'], verdict }
    process.at = 'verdict'
    return rescued.size > 0 ? 2 : 1
  },
  verdict(store, process, _, rules) {
    const n = process.know['n'] as number
    if (has(rules, 'verdict is overwritten')) store.verdicts[n] = process.know['verdict'] as GcVerdict
    else if (!createAbsent(store.verdicts, n, process.know['verdict'] as GcVerdict)) process.know['verdict'] = store.verdicts[n]
    process.at = 'sweep'
  },
  sweep(store, process) {
    for (const sid of (process.know['verdict'] as GcVerdict).sweep) if (store.registers[sid] !== 'F') delete store.registers[sid]
    process.at = 'replaced'
  },
  replaced(store, process) {
    for (const name of (process.know['verdict'] as GcVerdict).index) delete store.index[name]
    process.at = 'reindex'
  },
  /** Reads index objects that name a deleted pack; what they say is restated in the next step. */
  reindex(store, process, _, rules) {
    const { packs } = process.know['verdict'] as GcVerdict
    const replaced = replacedIndex(store)
    const touched = Object.entries(store.index).filter(([name, { states }]) => !replaced.includes(name) && Object.keys(states).some((pack) => packs.includes(pack)))
    const states: Record<string, string> = {}
    for (const [, object] of touched) for (const [pack, blob] of Object.entries(object.states)) if (!packs.includes(pack)) states[pack] = blob
    process.know['restated'] = has(rules, 'index objects are replaced by halves') ? {} : states
    process.know['replaces'] = touched.map(([name]) => name)
    process.at = touched.length > 0 ? 'restate' : 'drop'
  },
  restate(store, process) {
    store.index[`ij${process.id}${process.know['n'] as number}`] = { states: process.know['restated'] as Record<string, string>, replaces: strings(process.know['replaces']) }
    delete process.know['restated']
    delete process.know['replaces']
    process.at = 'drop'
  },
  drop(store, process) {
    for (const pack of (process.know['verdict'] as GcVerdict).packs) delete store.packs[pack]
    process.at = 'tidy'
  },
  tidy(store, process) {
    const { sweep, swept: earlier } = process.know['verdict'] as GcVerdict
    store.forgotten = store.forgotten.filter((sid) => !sweep.includes(sid) && !earlier.includes(sid))
    store.sessions = store.sessions.filter((sid) => !(sid in store.registers))
    for (const sid of [...sweep, ...earlier]) if (sid in store.registers && store.registers[sid] !== 'F') delete store.registers[sid]
    process.at = 'done'
  },
  done(store, process) {
    const n = process.know['n'] as number
    if (!store.done.includes(n)) store.done.push(n)
    store.done.sort((a, b) => a - b)
    process.know = {}
    process.at = 'end'
  },
}

const FORGET: Record<string, Step> = {
  begin(store, process, choice) {
    const there = Object.entries(store.registers).filter(([, needs]) => needs !== 'F').map(([sid]) => sid).sort()
    const sid = there[choice]
    if (sid !== undefined && !store.forgotten.includes(sid)) {
      store.forgotten.push(sid)
      store.forgotten.sort()
      remove(store.promised, sid)
    }
    process.at = 'end'
    return Math.max(1, there.length)
  },
}

function isPlanned(store: Store, sid: string): boolean {
  return Object.entries(store.plans).some(([n, plan]) => plan.sweep.includes(sid) && !store.done.includes(Number(n)))
}

const UNFORGET: Record<string, Step> = {
  begin(store, process, choice) {
    const sid = store.forgotten[choice]
    process.know = { sid }
    process.at = sid === undefined || isPlanned(store, sid) ? 'end' : 'take away'
    return Math.max(1, store.forgotten.length)
  },
  'take away'(store, process) {
    remove(store.forgotten, process.know['sid'] as string)
    process.at = 'look again'
  },
  'look again'(store, process) {
    process.at = isPlanned(store, process.know['sid'] as string) ? 'put back' : 'confirm'
  },
  'put back'(store, process) {
    const sid = process.know['sid'] as string
    if (!store.forgotten.includes(sid)) store.forgotten.push(sid)
    store.forgotten.sort()
    process.at = 'end'
  },
  confirm(store, process) {
    const sid = process.know['sid'] as string
    if (sid in store.registers && store.registers[sid] !== 'F' && !swept(store).includes(sid) && !store.forgotten.includes(sid)) store.promised.push(sid)
    process.at = 'end'
  },
}

const LATE: Record<string, Step> = {
  begin(store, process, choice) {
    const write = store.late[choice]
    if (write !== undefined) {
      store.late = store.late.filter((other) => other !== write)
      createAbsent(store.registers, write[0], write[1])
    }
    process.at = write === undefined ? 'begin' : 'end'
    return Math.max(1, store.late.length + (write === undefined ? 0 : 1))
  },
}

/** What must not be: records of finished generations go, all but the newest. */
const CLEAN: Record<string, Step> = {
  begin(store, process, _, rules) {
    process.at = 'end'
    if (!has(rules, 'old records are deleted')) return
    const last = Math.max(0, ...store.done)
    for (const n of store.done.filter((number) => number < last)) {
      delete store.plans[n]
      delete store.verdicts[n]
    }
    store.done = store.done.filter((number) => number >= last)
  },
}

const STEPS: Record<Process['kind'], Record<string, Step>> = { backup: BACKUP, prune: PRUNE, forget: FORGET, unforget: UNFORGET, late: LATE, clean: CLEAN }

function remove(list: string[], item: string): void {
  const at = list.indexOf(item)
  if (at !== -1) list.splice(at, 1)
}

/** Takes the process's next step in the state; answers how many choices there were. */
export function takeStep(state: State, processNumber: number, choice: number, rules: Rules): number {
  const process = state.processes[processNumber]!
  return STEPS[process.kind][process.at]!(state.store, process, choice, rules) ?? 1
}

export function isRunning(state: State, process: Process): boolean {
  return process.at !== 'end' && !(process.kind === 'late' && state.store.late.length === 0)
}
