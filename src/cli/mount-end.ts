/**
 * How a mount ends: by whoever unmounts it, or when we are told to. What somebody still has open goes
 * on then until he is done, or until we are told once more; the folder itself is free at once.
 */
import { isBackupError, type Mount } from '../index.ts'
import { display } from './display.ts'
import type { Output } from './output.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export async function serveUntilEnd(mounted: Mount, output: Output): Promise<void> {
  let told = 0
  let endNow!: () => void
  const forced = new Promise<void>((resolve) => (endNow = resolve))
  const end = async (): Promise<void> => {
    try {
      await mounted.unmount()
    } catch (error) {
      if (!isBackupError(error, 'MOUNT_BUSY')) throw error
      output.warn(`nacre: ${display(error.message)}; it is taken away, and goes on for them until they are done or a second Ctrl-C`)
      await mounted.detach()
    }
  }
  const onSignal = (): void => {
    if (++told > 1) return endNow()
    end().catch((error: unknown) => {
      output.warn(`nacre: ${display(error instanceof Error ? error.message : String(error))}`)
      endNow()
    })
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  try {
    await Promise.race([mounted.ended, forced])
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}
