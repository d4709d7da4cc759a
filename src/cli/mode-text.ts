/** Type and permissions as `ls` writes them: `drwxr-x---`. */
import type { Node } from '../index.ts'

const TYPE_LETTER = { file: '-', directory: 'd', symlink: 'l', fifo: 'p', socket: 's', block: 'b', character: 'c' } as const

export function modeText(node: Pick<Node, 'type' | 'mode'>): string {
  const bits = [...'rwxrwxrwx'].map((letter, i) => ((node.mode & (1 << (8 - i))) === 0 ? '-' : letter))
  const special = (bit: number, at: number, letter: string): void => {
    if ((node.mode & bit) !== 0) bits[at] = bits[at] === '-' ? letter.toUpperCase() : letter
  }
  special(0o4000, 2, 's')
  special(0o2000, 5, 's')
  special(0o1000, 8, 't')
  return TYPE_LETTER[node.type] + bits.join('')
}
