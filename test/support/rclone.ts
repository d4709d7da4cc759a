/** The real rclone, with a configuration of the test's own that has one remote, `disk`: this machine's folders. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const hasRclone = spawnSync('rclone', ['version']).status === 0
/** The name of the suite says why it is skipped. */
export const needsRclone = hasRclone ? '' : ' (left out: there is no rclone on this machine; Debian: rclone)'

/** @returns the environment that makes rclone use it */
export function rcloneEnvironment(folder: string): Record<string, string> {
  const path = join(folder, 'rclone.conf')
  writeFileSync(path, '[disk]\ntype = local\n', { mode: 0o600 })
  return { RCLONE_CONFIG: path }
}
