/** `SNAPSHOT[:PATH]`, whose path need not be text. */
import { parseSnapshotPath } from '../index.ts'
import { argumentBytes } from './raw-arguments.ts'

export function snapshotPathOf(argument: string): { readonly snapshot: string; readonly path: Uint8Array | undefined } {
  const parsed = parseSnapshotPath(argument)
  const path = parsed.path === undefined ? undefined : argumentBytes(argument.slice(parsed.snapshot.length + 1))
  return { snapshot: parsed.snapshot, path: path instanceof Uint8Array ? path : parsed.path }
}
