/**
 * Who may begin, of many who want to: so many at once, and those that somebody waits for before
 * those that only might be wanted soon.
 */

export interface Turns {
  /** Resolves when it is one's turn, with what ends it. */
  take(isUrgent: boolean): Promise<() => void>
  /** Somebody waits now for what was only expected: all that wait become urgent, in their order. */
  hurry(): void
}

export function createTurns(atOnce: number): Turns {
  let running = 0
  const urgent: (() => void)[] = []
  const patient: (() => void)[] = []

  const next = (): void => {
    if (running >= atOnce) return
    const begin = urgent.shift() ?? patient.shift()
    if (begin === undefined) return
    running++
    begin()
  }

  return {
    take: (isUrgent) =>
      new Promise((resolve) => {
        let hasEnded = false
        const end = (): void => {
          if (hasEnded) return
          hasEnded = true
          running--
          next()
        }
        ;(isUrgent ? urgent : patient).push(() => resolve(end))
        next()
      }),
    hurry() {
      urgent.push(...patient.splice(0))
    },
  }
}
