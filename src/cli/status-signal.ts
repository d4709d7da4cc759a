/** SIGUSR1 asks how far it is. */

let answer: () => void = () => undefined

/** Without a listener Node would open its debugger at this signal. */
export function listenForStatus(): void {
  process.on('SIGUSR1', () => answer())
}

/** @returns takes it back */
export function answerStatus(give: () => void): () => void {
  const before = answer
  answer = give
  return () => {
    answer = before
  }
}
