/** A bounded queue between one that makes and one that takes: who makes waits while it is full. */
export interface Queue<Item> extends AsyncIterable<Item> {
  /** Resolves when there is room for more. Rejects once the queue has failed. */
  push(item: Item): void | Promise<void>
  /** Nothing more will come. */
  end(): void
  /** Ends it for both: who pushes and who takes gets the error. */
  fail(error: unknown): void
}

export function createQueue<Item>(capacity: number): Queue<Item> {
  const items: Item[] = []
  let hasEnded = false
  let failure: { readonly error: unknown } | undefined
  let wakeTaker: (() => void) | undefined
  let wakeMaker: { resolve: () => void; reject: (error: unknown) => void } | undefined

  const wake = (): void => {
    wakeTaker?.()
    wakeTaker = undefined
  }

  return {
    push(item) {
      if (failure !== undefined) throw failure.error
      items.push(item)
      wake()
      if (items.length <= capacity) return
      return new Promise((resolve, reject) => {
        wakeMaker = { resolve, reject }
      })
    },
    end() {
      hasEnded = true
      wake()
    },
    fail(error) {
      failure ??= { error }
      wake()
      wakeMaker?.reject(error)
      wakeMaker = undefined
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (failure !== undefined) throw failure.error
        const item = items.shift()
        if (item !== undefined) {
          wakeMaker?.resolve()
          wakeMaker = undefined
          yield item
        } else if (hasEnded) return
        else await new Promise<void>((resolve) => (wakeTaker = resolve))
      }
    },
  }
}
