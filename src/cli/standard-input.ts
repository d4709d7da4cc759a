/** The standard input as a stream, which ends with the signal's reason: nothing may ever come of a pipe. */
export async function* standardInput(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const leave = (): void => void process.stdin.destroy(signal.reason as Error)
  signal.addEventListener('abort', leave, { once: true })
  try {
    signal.throwIfAborted()
    yield* process.stdin as AsyncIterable<Uint8Array>
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
