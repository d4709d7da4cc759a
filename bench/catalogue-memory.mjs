#!/usr/bin/env node
// How much memory a repository of many blobs takes of whoever opens it: a repository on disk with real
// index objects and packs of the right sizes (with holes for frames), opened by processes of their own.
//
//   node bench/catalogue-memory.mjs [BLOBS, by default 5000000] [BLOBS PER PACK, by default 250]
//
// `cold` has an empty cache and takes in every index object; `warm` is every run after that. Each then
// asks for blobs that are there and for blobs that are not. Needs a build, and some 2 GB in the
// temporary folder.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBackend, createRepository, openBackend, openRepository } from '../dist/index.js';
import { newDataKey, wrapDataKey } from '../dist/repository/envelope.js';
import { encodeIndex } from '../dist/repository/index-object.js';
import { loadIndex } from '../dist/repository/index-loader.js';

const PASSWORD = Buffer.from('bench');
const PERSON = { user: 'bench', host: 'bench' };
const PACKS_PER_INDEX = 8;
const BLOBS_PER_FRAME = 8;
const BLOB_BYTES = 128 * 1024;
const QUERIES = 50_000;
const LIMIT_MIB = 300;

/** The id of blob i: a hash, as ids are. */
function idOf(i) {
  return createHash('sha256').update(`blob ${i}`).digest();
}

function openAt(folder) {
  return openBackend({ kind: 'local', path: join(folder, 'repo') }).then((backend) =>
    openRepository({ backend, password: PASSWORD, cacheFolder: join(folder, 'cache') }),
  );
}

function packOf(first, count, envelopes) {
  const blobs = new Uint8Array(count * 36);
  const view = new DataView(blobs.buffer);
  const frames = [];
  let offset = 500;
  for (let i = 0; i < count; i++) {
    blobs.set(idOf(first + i), i * 36);
    view.setUint32(i * 36 + 32, BLOB_BYTES, true);
  }
  for (let i = 0; i < count; i += BLOBS_PER_FRAME) {
    const blobCount = Math.min(BLOBS_PER_FRAME, count - i);
    const plainBytes = blobCount * BLOB_BYTES;
    frames.push({ offset, storedBytes: plainBytes, plainBytes, blobCount, codec: 0, blobType: 'data', envelope: 0 });
    offset += plainBytes;
  }
  return { packId: createHash('sha256').update(`pack ${first}`).digest('hex'), sizeBytes: offset + 500, session: new Uint8Array(16), envelopes, frames, blobs };
}

/** Written straight to disk: what is measured is how they are read. */
function store(folder, name, bytes) {
  mkdirSync(dirname(join(folder, 'repo', name)), { recursive: true });
  writeFileSync(join(folder, 'repo', name), bytes);
}

function storeHole(folder, packId, sizeBytes) {
  const path = join(folder, 'repo', 'packs', packId.slice(0, 2), packId);
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
}

async function build(folder, count, perPack) {
  const backend = await createBackend({ kind: 'local', path: join(folder, 'repo') });
  await createRepository({ backend, password: PASSWORD, person: PERSON });
  const repository = await openAt(folder);
  const { keyring } = repository;
  let packs = [];
  let objects = 0;
  const flush = () => {
    if (packs.length === 0) return;
    const { name, bytes } = encodeIndex(keyring, 0, { packs, replaces: [] });
    store(folder, `index/${name}`, bytes);
    packs = [];
    objects++;
  };
  for (let at = 0; at < count; at += perPack) {
    // Most sessions add a few packs: a data key for each index object is the worst to expect.
    const envelopes = packs[0]?.envelopes ?? [wrapDataKey(keyring, 0, newDataKey(keyring.repositoryId))];
    const pack = packOf(at, Math.min(perPack, count - at), envelopes);
    storeHole(folder, pack.packId, pack.sizeBytes);
    packs.push(pack);
    if (packs.length === PACKS_PER_INDEX) flush();
  }
  flush();
  await repository[Symbol.asyncDispose]();
  console.log(`${count} blobs in ${Math.ceil(count / perPack)} packs, stated by ${objects} index objects`);
}

/** In a process of its own. */
async function openAndAsk(folder, count) {
  const started = performance.now();
  const repository = await openAt(folder);
  const { catalogue, deadPacks } = await loadIndex(repository, { referring: { condemned: new Set() } });
  const opened = performance.now();
  const cpu = process.cpuUsage();
  const openedRss = process.resourceUsage().maxRSS / 1024;
  let known = 0;
  let unknown = 0;
  for (let i = 0; i < QUERIES; i++) {
    if (catalogue.has(idOf((i * 7919) % count))) known++;
    if (!catalogue.has(idOf(count + i))) unknown++;
    if (i % 8 === 0 && catalogue.locate(idOf((i * 104_729) % count)).length !== 1) throw new Error('a blob has no place');
  }
  if (known !== QUERIES || unknown !== QUERIES || deadPacks !== 0) throw new Error('the catalogue does not know what it should');
  const { user, system } = process.cpuUsage(cpu);
  await repository[Symbol.asyncDispose]();
  console.log(JSON.stringify({ openS: (opened - started) / 1000, askUs: (user + system) / (2 * QUERIES), openedRss, peakRss: process.resourceUsage().maxRSS / 1024 }));
}

function measure(what, folder, count) {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--open', folder, String(count)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0) throw new Error(`${what} failed`);
  const { openS, askUs, openedRss, peakRss } = JSON.parse(child.stdout);
  const verdict = peakRss <= LIMIT_MIB ? 'ok' : `ABOVE ${LIMIT_MIB} MiB`;
  console.log(`${what.padEnd(6)} opened in ${openS.toFixed(1).padStart(6)} s   ${askUs.toFixed(1).padStart(6)} µs of processor a question   ${openedRss.toFixed(0).padStart(5)} MiB when open   ${peakRss.toFixed(0).padStart(5)} MiB at the peak   ${verdict}`);
  return peakRss <= LIMIT_MIB;
}

if (process.argv[2] === '--open') {
  await openAndAsk(process.argv[3], Number(process.argv[4]));
} else {
  const count = Number(process.argv[2] ?? 5_000_000);
  const perPack = Number(process.argv[3] ?? 250);
  const folder = mkdtempSync(join(tmpdir(), 'nacre-bench-'));
  try {
    await build(folder, count, perPack);
    const results = [measure('cold', folder, count), measure('warm', folder, count), measure('warm', folder, count)];
    process.exitCode = results.every(Boolean) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
