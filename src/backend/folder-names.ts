/** What backends that keep objects in folders share: which folder holds another, and making each once. */

/** '' holds those that no other does. */
export function parentOf(folder: string): string {
  return folder.slice(0, Math.max(folder.lastIndexOf('/'), 0))
}

/** Remembers what succeeded or is under way; what failed is tried again at the next call. */
export function onceEach(call: (key: string) => Promise<void>): (key: string) => Promise<void> {
  const calls = new Map<string, Promise<void>>()
  return (key) => {
    let result = calls.get(key)
    if (!result) {
      result = call(key)
      calls.set(key, result)
      void result.catch(() => calls.delete(key))
    }
    return result
  }
}
