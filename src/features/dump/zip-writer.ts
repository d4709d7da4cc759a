/** A dump as a zip: files deflated, links as their targets; what a zip has no place for is left out with a word. */
import { createDeflateRaw, crc32 } from 'node:zlib'
import { type ZipEntry, zipCentralHeader, zipDescriptor, zipEnd, zipLocalHeader, type ZipSizes } from '../../codec/zip.ts'
import { concatBytes, utf8 } from '../../util/bytes.ts'
import type { DumpEntry, DumpItem, OnLeftOut } from './dump-items.ts'

const TYPE_BITS = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const
/** Far below 4 GiB, as deflated bytes can be more than there were. */
const LARGE_BYTES = 2 ** 31

export async function* zipOf(items: AsyncIterable<DumpItem>, onLeftOut: OnLeftOut): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = 0
  let open: Open | undefined
  const central: Uint8Array[] = []
  for await (const item of items) {
    if (item.kind === 'entry') {
      const entry = zipEntry(item.entry, onLeftOut)
      if (entry === undefined) continue
      open = { entry, offset, deflater: entry.isDeflated ? createDeflater() : undefined, crc: 0, bytes: 0, packed: 0 }
      const header = zipLocalHeader(entry)
      offset += header.length
      yield header
      if (item.entry.node.type === 'symlink') yield* take(open, item.entry.node.target!)
    } else if (open === undefined) continue
    else if (item.kind === 'data') for (const bytes of item.bytes) yield* take(open, bytes)
    else {
      for (const bytes of (await open.deflater?.end()) ?? []) yield count(open, bytes)
      const sizes: ZipSizes = { crc: open.crc, bytes: open.bytes, packedBytes: open.packed }
      const descriptor = zipDescriptor(open.entry, sizes)
      central.push(zipCentralHeader(open.entry, sizes, open.offset))
      offset += open.packed + descriptor.length
      yield descriptor
      open = undefined
    }
  }
  for (const header of central) yield header
  yield zipEnd(central.length, central.reduce((sum, header) => sum + header.length, 0), offset)
}

interface Open {
  readonly entry: ZipEntry
  readonly offset: number
  readonly deflater: Deflater | undefined
  crc: number
  bytes: number
  packed: number
}

function count(open: Open, bytes: Uint8Array): Uint8Array {
  open.packed += bytes.length
  return bytes
}

async function* take(open: Open, bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  open.crc = crc32(bytes, open.crc)
  open.bytes += bytes.length
  for (const packed of open.deflater === undefined ? [bytes] : await open.deflater.write(bytes)) yield count(open, packed)
}

function zipEntry({ name, node, linkOf }: DumpEntry, onLeftOut: OnLeftOut): ZipEntry | undefined {
  if (name.length === 0) return undefined
  if (linkOf !== undefined || (node.type !== 'file' && node.type !== 'directory' && node.type !== 'symlink')) {
    onLeftOut(name, linkOf === undefined ? `a zip cannot hold a ${node.type}` : 'a zip cannot hold hard links, and its first name is there')
    return undefined
  }
  const isFolder = node.type === 'directory'
  return {
    name: isFolder ? concatBytes(name, utf8('/')) : name,
    mode: TYPE_BITS[node.type] | node.mode,
    uid: node.uid,
    gid: node.gid,
    mtimeS: node.mtimeS,
    isFolder,
    isDeflated: node.type === 'file' && node.size > 0,
    isLarge: node.size >= LARGE_BYTES,
  }
}

interface Deflater {
  write(bytes: Uint8Array): Promise<Uint8Array[]>
  end(): Promise<Uint8Array[]>
}

function createDeflater(): Deflater {
  const stream = createDeflateRaw()
  let ready: Uint8Array[] = []
  stream.on('data', (bytes: Uint8Array) => ready.push(bytes))
  const taken = (): Uint8Array[] => {
    const bytes = ready
    ready = []
    return bytes
  }
  return {
    write: (bytes) => new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve(taken())))),
    end: () => new Promise((resolve, reject) => stream.once('error', reject).once('end', () => resolve(taken())).end()),
  }
}
