/** What a call fails with, by code: messages are for people and may change. */
import { expect } from 'vitest'
import { BackupError, type ErrorCode } from '../../src/util/errors.ts'

export function expectRefused(run: () => unknown, code: ErrorCode): BackupError {
  let result: unknown
  try {
    result = run()
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    expect(error.code).toBe(code)
    return error
  }
  throw new Error(`nothing was refused: ${String(result)}`)
}

export async function expectRejected(promise: Promise<unknown>, code: ErrorCode): Promise<BackupError> {
  let result: unknown
  try {
    result = await promise
  } catch (error) {
    // Errors of the built package are of another class with the same fields.
    if (!(error instanceof Error) || error.name !== 'BackupError') throw error
    expect((error as BackupError).code).toBe(code)
    return error as BackupError
  }
  throw new Error(`nothing was rejected: ${String(result)}`)
}
