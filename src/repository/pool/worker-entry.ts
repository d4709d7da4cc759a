/** What a worker thread runs: it takes its role from the thread that made it and obeys messages. */
import { parentPort, workerData } from 'node:worker_threads'
import type { RoleName } from './role.ts'
import { createRole } from './roles.ts'

interface WorkerData {
  readonly role: RoleName
  readonly init: unknown
}

const port = parentPort
if (port === null) throw new Error('worker-entry runs in a worker thread only')
const { role: name, init } = workerData as WorkerData
const role = await createRole<unknown, unknown>(name, init, (message, transfer = []) => port.postMessage(message, [...transfer]))
port.on('message', (message) => {
  try {
    role(message)
  } catch (failure) {
    port.postMessage({ failure })
  }
})
