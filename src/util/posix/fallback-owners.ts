/** Names of users and groups from /etc/passwd and /etc/group alone. */
import { readFileSync } from 'node:fs'
import { errnoOf } from '../errors.ts'

interface Entry {
  name: string
  id: number
}

const FILES = { user: '/etc/passwd', group: '/etc/group' } as const
const entries = new Map<string, readonly Entry[]>()

export function fallbackName(kind: 'user' | 'group', id: number): string | undefined {
  return entriesOf(FILES[kind]).find((entry) => entry.id === id)?.name
}

export function fallbackId(kind: 'user' | 'group', name: string): number | undefined {
  return entriesOf(FILES[kind]).find((entry) => entry.name === name)?.id
}

/** Lines of name, password, number and more, with colons between. */
function entriesOf(path: string): readonly Entry[] {
  const known = entries.get(path)
  if (known !== undefined) return known
  const parsed: Entry[] = []
  for (const line of contentOf(path).split('\n')) {
    const [name, , id] = line.split(':')
    if (name !== undefined && name !== '' && id !== undefined && /^\d+$/.test(id)) {
      parsed.push({ name, id: Number(id) })
    }
  }
  entries.set(path, parsed)
  return parsed
}

/** Nothing where there is no such file, as in minimal containers. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}
