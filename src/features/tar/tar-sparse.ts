/** Where the bytes of a sparse file belong, as the four forms say it that GNU tar has had over the years. */
import type { PaxRecord } from '../../codec/pax.ts'
import { TAR_BLOCK, tarNumber } from '../../codec/tar-header.ts'
import { BackupError } from '../../util/errors.ts'
import type { ByteSource } from './byte-source.ts'
import { cutShort } from './byte-source.ts'

export interface Extent {
  readonly offset: number
  readonly length: number
}

interface Sparse {
  readonly size: number
  readonly extents: readonly Extent[]
}

/** Far more than a file system cares for; each costs memory. */
const EXTENTS_MOST = 1_000_000
const ENTRY_BYTES = 24

/** The old form: pieces in the header and in blocks behind it. */
export async function gnuExtents(source: ByteSource, header: Uint8Array, number: (at: number, length: number) => number): Promise<Sparse> {
  const extents: Extent[] = []
  const size = number(483, 12)
  addEntries(extents, header, 386, 4)
  for (let isMore = header[482] === 1; isMore; ) {
    const block = await source.take(TAR_BLOCK)
    if (block === undefined) throw cutShort()
    addEntries(extents, block, 0, 21)
    isMore = block[504] === 1
    requireFew(extents.length)
  }
  return { size, extents: extents.filter(({ length }) => length > 0) }
}

function addEntries(extents: Extent[], block: Uint8Array, start: number, count: number): void {
  for (let at = start; at < start + count * ENTRY_BYTES; at += ENTRY_BYTES) {
    if (block[at] === 0) return
    extents.push({ offset: tarNumber(block, at, 12, 'place'), length: tarNumber(block, at + 12, 12, 'size') })
  }
}

/** Forms 0.0 and 0.1: in the pax header, one by one or as one list. */
export function paxExtents(records: readonly PaxRecord[], size: number | undefined): Sparse | undefined {
  if (size === undefined) return undefined
  const numbers: number[] = []
  for (const { key, value } of records) {
    const name = Buffer.from(key).toString('latin1')
    if (name === 'GNU.sparse.offset' || name === 'GNU.sparse.numbytes') numbers.push(decimal(Buffer.from(value).toString('latin1')))
    if (name === 'GNU.sparse.map') numbers.push(...Buffer.from(value).toString('latin1').split(',').map(decimal))
  }
  return { size, extents: pairs(numbers) }
}

/** Form 1.0: lines of numbers at the beginning of the content, in whole blocks. */
export async function extentsOfMap(source: ByteSource, stored: number): Promise<{ readonly extents: readonly Extent[]; readonly bytes: number }> {
  let text = ''
  let bytes = 0
  for (;;) {
    const block = bytes + TAR_BLOCK > stored ? undefined : await source.take(TAR_BLOCK)
    if (block === undefined) throw new BackupError('CORRUPT', 'a sparse file of the tar does not say where its bytes belong')
    bytes += TAR_BLOCK
    text += Buffer.from(block).toString('latin1')
    const lines = text.split('\n')
    const count = lines.length > 1 ? decimal(lines[0]!) : EXTENTS_MOST
    requireFew(count)
    if (lines.length > 1 && lines.length > 1 + 2 * count) return { extents: pairs(lines.slice(1, 1 + 2 * count).map(decimal)), bytes }
  }
}

function requireFew(count: number): void {
  if (count > EXTENTS_MOST) throw new BackupError('CORRUPT', `a sparse file of the tar is in more than ${EXTENTS_MOST} pieces`)
}

function pairs(numbers: readonly number[]): Extent[] {
  const extents: Extent[] = []
  for (let i = 0; i + 1 < numbers.length; i += 2) extents.push({ offset: numbers[i]!, length: numbers[i + 1]! })
  return extents.filter(({ length }) => length > 0)
}

function decimal(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new BackupError('CORRUPT', 'a sparse file of the tar is described by something that is no number')
  return value
}
