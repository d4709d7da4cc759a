/** What a server says about a file, put into nacre's codes, with what was tried and where. */
import { BackupError } from '../../util/errors.ts'
import { SftpProtocolError } from './replies.ts'
import { isStatus, SftpStatus, STATUS } from './status.ts'

/**
 * @param doing - what was tried, as in "store packs/…"
 * @returns the error to throw; what came from elsewhere is returned as it is
 */
export function sftpError(error: unknown, doing: string, location: string): unknown {
  if (error instanceof SftpProtocolError) return new BackupError('BACKEND_FAILED', `cannot ${doing} at ${location}: the server sent ${error.message}`, { cause: error, path: location })
  if (!(error instanceof SftpStatus)) return error
  const code = isStatus(error, STATUS.permissionDenied) ? 'BACKEND_DENIED' : 'BACKEND_FAILED'
  return new BackupError(code, `cannot ${doing} at ${location}: ${error.message}`, { cause: error, path: location, details: { status: error.status } })
}

export async function told<T>(doing: string, location: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw sftpError(error, doing, location)
  }
}
