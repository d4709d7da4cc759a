/**
 * A backend that has asked before it is asked: while a password is being derived, the lists that will be
 * wanted next can be on their way already. They are begun in a given order, each step when the one before
 * is at its end, so who reads them in that order sees what he would have seen; and each serves once.
 *
 * For who looks and does not act: a list that was begun early shows what was there then.
 */
import type { Backend, ObjectInfo, ObjectType, OperationOptions } from './backend.ts'

export interface EarlyLists {
  readonly backend: Backend
  begin(): void
}

export function withEarlyLists(inner: Backend, steps: readonly (readonly ObjectType[])[], { signal }: OperationOptions = {}): EarlyLists {
  const early = new Map<ObjectType, Promise<readonly ObjectInfo[]>>()

  const gather = async (type: ObjectType): Promise<readonly ObjectInfo[]> => {
    const infos: ObjectInfo[] = []
    for await (const info of inner.list(type, { signal })) infos.push(info)
    return infos
  }

  async function* taken(listed: Promise<readonly ObjectInfo[]>): AsyncGenerator<ObjectInfo> {
    yield* await listed
  }

  return {
    begin() {
      let before: Promise<unknown> = Promise.resolve()
      for (const types of steps) {
        const start = before
        const step = types.map((type) => {
          const listed = start.then(() => gather(type))
          // Who takes it meets the failure.
          listed.catch(() => undefined)
          early.set(type, listed)
          return listed
        })
        before = Promise.all(step)
        before.catch(() => undefined)
      }
    },
    backend: {
      ...inner,
      list(type, options) {
        const listed = options?.after === undefined ? early.get(type) : undefined
        early.delete(type)
        return listed === undefined ? inner.list(type, options) : taken(listed)
      },
    },
  }
}
