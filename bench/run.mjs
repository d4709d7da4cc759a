#!/usr/bin/env node
// Throughput of the parts that a backup is made of, on fixed inputs: before and after a change to a
// hot path. Whole commands are compared with other programs by bench/compare. Needs a build.
import { createCipheriv } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { createChunker } from '../dist/chunker/fastcdc.js';
import { chunkerParams } from '../dist/chunker/params.js';
import { createCompressor, createDecompressor } from '../dist/codec/zstd.js';
import { open, seal } from '../dist/crypto/aead.js';
import { keyedHash } from '../dist/crypto/hash.js';
import { openCatalogue } from '../dist/repository/catalogue/catalogue.js';
import { newDataKey } from '../dist/repository/envelope.js';
import { openFrame, sealFrame } from '../dist/repository/frame.js';

const MIB = 1024 * 1024;
const KEY = new Uint8Array(32).fill(7);
const REPOSITORY = new Uint8Array(16).fill(3);

const noise = createCipheriv('aes-256-ctr', KEY, Buffer.alloc(16)).update(Buffer.alloc(8 * MIB));
const words = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `word${(i * 7919) % 4001} `).join('')).subarray(0, MIB);

/** Bytes that one run of each bench handles, for MB/s; undefined counts runs. */
const sizes = new Map();
const bench = new Bench({ time: 500, warmupTime: 100 });
function add(name, bytes, run) {
  sizes.set(name, bytes);
  bench.add(name, run);
}

const buffer = createChunker(chunkerParams()).allocate(8 * MIB);
buffer.bytes().set(noise);
add('chunker: cut 8 MiB', 8 * MIB, () => buffer.cut(0, 8 * MIB, true));

const hash = keyedHash(KEY);
add('hash: 128 KiB', MIB / 8, () => hash(noise.subarray(0, MIB / 8)));
add('hash: 1 KiB', 1024, () => hash(noise.subarray(0, 1024)));

const compressor = createCompressor(3);
const packed = compressor.compress(words, MIB).slice();
const decompressor = createDecompressor();
add('zstd 3: 1 MiB of words', MIB, () => compressor.compress(words, MIB));
add('zstd 3: 1 MiB of noise', MIB, () => compressor.compress(noise.subarray(0, MIB), MIB));
add('zstd: decompress 1 MiB of words', MIB, () => decompressor.decompress(packed, words.length));

const sealed = seal(KEY, noise.subarray(0, MIB), REPOSITORY);
add('aead: seal 1 MiB', MIB, () => seal(KEY, noise.subarray(0, MIB), REPOSITORY));
add('aead: open 1 MiB', MIB, () => open(KEY, sealed, REPOSITORY));

const dataKey = newDataKey(REPOSITORY);
const { bytes, ...shape } = sealFrame(REPOSITORY, dataKey, 'data', words, compressor);
add('frame: seal 1 MiB of words', MIB, () => sealFrame(REPOSITORY, dataKey, 'data', words, compressor));
add('frame: open 1 MiB of words', MIB, () => openFrame(REPOSITORY, dataKey, shape, bytes, decompressor));

const folder = mkdtempSync(join(tmpdir(), 'nacre-bench-'));
const catalogue = await openCatalogue(folder);
const BLOBS = 50_000;
const blobs = new Uint8Array(BLOBS * 36);
for (let i = 0; i < BLOBS; i++) blobs.set(hash(Buffer.from(String(i))), i * 36);
const frame = { offset: 100, storedBytes: 1000, plainBytes: 0, blobCount: BLOBS, codec: 0, blobType: 'data', envelope: 0 };
const pack = { packId: 'ab'.repeat(32), sizeBytes: 5000, session: new Uint8Array(16), envelopes: [], frames: [frame], blobs };
await catalogue.absorb(`0/${'cd'.repeat(32)}`, [pack], true);
let next = 0;
add('catalogue: has, known', undefined, () => catalogue.has(blobs.subarray((next = (next + 7919) % BLOBS) * 36, next * 36 + 32)));
add('catalogue: has, unknown', undefined, () => catalogue.has(noise.subarray((next = (next + 7919) % BLOBS), next + 32)));

try {
  await bench.run();
  for (const task of bench.tasks) {
    const ms = task.result?.latency?.mean ?? Number.NaN;
    const size = sizes.get(task.name);
    const speed = size === undefined ? `${(ms * 1000).toFixed(2)} µs` : `${Math.round(size / 1e3 / ms)} MB/s`;
    console.log(`${task.name.padEnd(34)} ${speed.padStart(12)}`);
  }
} finally {
  await catalogue[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}
