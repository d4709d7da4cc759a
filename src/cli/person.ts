/** Who runs this, and where. */
import { hostname, userInfo } from 'node:os'
import type { Person } from '../index.ts'

export function person(host?: string): Person {
  return { user: userName(), host: host ?? hostname() }
}

/** A user without an entry in any directory still has a number. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 0)
  }
}
