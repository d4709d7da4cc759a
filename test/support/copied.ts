/** A backend in memory with all that another holds, to begin the same story again and again. */
import { type Backend } from '../../src/backend/backend.ts'
import { objectTypes } from '../../src/backend/layout.ts'
import { memoryBackend } from '../../src/backend/memory.ts'

export async function copyOf(backend: Backend): Promise<Backend> {
  const copy = memoryBackend()
  for (const type of objectTypes) {
    for await (const info of backend.list(type)) await copy.create(info, [await backend.load(info)])
  }
  return copy
}
