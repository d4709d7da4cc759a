/**
 * Loaded into the built program before it begins (`node --import`): counts its steps on the
 * repository's folder, and at a given one ends it as kill -9 does, or stops it as SIGSTOP does. A
 * step is a call that makes, writes, syncs, links, removes or lists something there. So a real process
 * dies at a place that is chosen, whatever the machine's speed.
 *
 *   STEP_FOLDER  the repository
 *   STEP_AT      number of the step, from 1
 *   STEP_WHEN    before | after it took effect
 *   STEP_SIGNAL  SIGKILL | SIGSTOP
 *   STEP_MATCH   only steps that name a path with this in it are counted
 *   STEP_COUNT   a file that gets the number of steps when the program ends by itself
 */
import { writeFileSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const folder = process.env.STEP_FOLDER
const at = Number(process.env.STEP_AT ?? 0)
const match = process.env.STEP_MATCH
const isBefore = process.env.STEP_WHEN !== 'after'
const signal = process.env.STEP_SIGNAL ?? 'SIGKILL'
let steps = 0

function counted(call, isOurs) {
  return async function step(...args) {
    if (!isOurs.call(this, args)) return call.apply(this, args)
    const isIt = ++steps === at
    if (isIt && isBefore) process.kill(process.pid, signal)
    const result = await call.apply(this, args)
    if (isIt && !isBefore) process.kill(process.pid, signal)
    return result
  }
}

if (isMainThread && folder !== undefined) {
  const isBelow = (args) => args.some((arg) => typeof arg === 'string' && arg.startsWith(folder) && arg.includes(match ?? ''))
  const probe = await promises.open('/dev/null')
  const { prototype } = probe.constructor
  await probe.close()
  // Handles are of the repository's files only: the catalogue is written by LevelDB, sources by descriptor.
  for (const name of ['writev', 'sync']) prototype[name] = counted(prototype[name], () => match === undefined)
  for (const name of ['open', 'link', 'unlink', 'mkdir', 'readdir']) promises[name] = counted(promises[name], isBelow)
  syncBuiltinESMExports()
  const file = process.env.STEP_COUNT
  if (file !== undefined) process.on('exit', () => writeFileSync(file, String(steps)))
}
