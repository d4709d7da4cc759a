/**
 * The one parallel primitive outside the worker pool: results in the order of the input, at most
 * `concurrency` of them under way. The first failure ends it: no more is started, what is under
 * way is awaited, and the source is closed.
 */
import { throwIfAborted } from './errors.ts'

export interface MapOptions {
  readonly concurrency: number
  readonly signal?: AbortSignal | undefined
}

export async function* mapOrdered<In, Out>(source: Iterable<In> | AsyncIterable<In>, options: MapOptions, map: (item: In) => Promise<Out>): AsyncGenerator<Out, void, undefined> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const running: Promise<Out>[] = []
  let isDone = false
  try {
    for (;;) {
      while (!isDone && running.length < options.concurrency) {
        throwIfAborted(options.signal)
        const next = await iterator.next()
        if (next.done === true) isDone = true
        else running.push(started(map, next.value))
      }
      const first = running.shift()
      if (first === undefined) return
      yield await first
    }
  } finally {
    if (!isDone) await iterator.return?.()
    await Promise.allSettled(running)
  }
}

function started<In, Out>(map: (item: In) => Promise<Out>, item: In): Promise<Out> {
  const promise = map(item)
  // Failures are met in order, when their turn comes; until then they are not unhandled.
  promise.catch(() => undefined)
  return promise
}
