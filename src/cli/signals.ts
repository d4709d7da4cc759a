/** SIGINT and SIGTERM end the work in order, a second one at once. */
import { BackupError } from '../index.ts'
import { EXIT } from './exit-codes.ts'

/** A backup that is stopped takes some seconds to keep what it has stored. */
const GRACE_MS = 12_000

/** @param endsItself - nothing is ended by force: what listens to the signal sees to all of it */
export function interruption(endsItself = false): AbortSignal {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted && !endsItself) process.exit(EXIT.interrupted)
    controller.abort(new BackupError('INTERRUPTED', `interrupted by ${name}`))
    if (endsItself) return
    // A call that does not look at the signal must not hold up who asked us to stop.
    setTimeout(() => process.exit(EXIT.interrupted), GRACE_MS).unref()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return controller.signal
}
