/** What a tree holds, as a program says that shares nothing with what is tested (`walk.py`, beside). */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const SCRIPT = resolve(import.meta.dirname, 'walk.py')

export type WalkerOption = '--atime' | '--no-owner'

/** One line for each name below the root. */
export function walked(root: string, ...options: WalkerOption[]): string[] {
  const child = spawnSync('python3', ['-B', SCRIPT, root, ...options], { encoding: 'utf8', maxBuffer: 1 << 30 })
  if (child.status !== 0) throw new Error(`walk.py failed: ${child.stderr}`)
  return child.stdout.split('\n').slice(0, -1)
}
