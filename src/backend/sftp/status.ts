/** What a server answers when it did not do what was asked. */

export const STATUS = { ok: 0, eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, badMessage: 5, unsupported: 8 } as const

const WORDS: ReadonlyMap<number, string> = new Map([
  [STATUS.eof, 'the end was reached'],
  [STATUS.noSuchFile, 'no such file or folder'],
  [STATUS.permissionDenied, 'permission denied'],
  [STATUS.failure, 'the server could not do it, and does not say why'],
  [STATUS.badMessage, 'the server did not understand'],
  [STATUS.unsupported, 'the server does not offer this'],
])

/** What OpenSSH says for each code, which says no more than the code. */
const EMPTY_WORDS: ReadonlySet<string> = new Set(['', 'Success', 'End of file', 'No such file', 'Permission denied', 'Failure', 'Bad message', 'Operation unsupported'])

export class SftpStatus extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    const words = WORDS.get(status) ?? `status ${status}`
    super(EMPTY_WORDS.has(message) ? words : message)
    this.name = 'SftpStatus'
    this.status = status
  }
}

export function isStatus(error: unknown, ...statuses: readonly number[]): error is SftpStatus {
  return error instanceof SftpStatus && statuses.includes(error.status)
}

/** Calls the function; the listed statuses give undefined, all else is thrown. */
export async function unlessStatus<T>(statuses: readonly number[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (isStatus(error, ...statuses)) return undefined
    throw error
  }
}
