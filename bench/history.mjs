#!/usr/bin/env node
// How long `history` of a path takes over many snapshots: a small tree of which one file changes before
// each of them. Needs a build, python3 (for measuring), and some 100 MB of memory in the folder.
//
//   node bench/history.mjs [SNAPSHOTS, by default 1000] [FOLDER, by default in /dev/shm]
//
// `cold` has an empty cache, `warm` is every run after that. Whole processes are measured, as a user
// starts them; each is the median of three. A FOLDER that is named is kept, and used as it is the next time.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backup, createBackend, createRepository, openBackend, openRepository } from '../dist/index.js';
import { measure, median } from './support/measure.mjs';

const PROGRAM = fileURLToPath(new URL('../dist/program/main.js', import.meta.url));
const PASSWORD = 'bench';
const PERSON = { user: 'bench', host: 'bench' };
const FOLDERS = 20;
const FILES_IN_FOLDER = 15;
const RUNS = 3;
/** Wanted, on two cores: seconds. */
const LIMITS = { cold: 2, warm: 0.2 };

function fileOf(source, i) {
  return join(source, `folder ${i % FOLDERS}`, `file ${Math.floor(i / FOLDERS)}`);
}

async function make(folder, count) {
  const place = { kind: 'local', path: join(folder, 'repo') };
  await createRepository({ backend: await createBackend(place), password: Buffer.from(PASSWORD), person: PERSON });
  const repository = await openRepository({ backend: await openBackend(place), password: Buffer.from(PASSWORD), cacheFolder: join(folder, 'cache of making') });
  const source = join(folder, 'source');
  const files = FOLDERS * FILES_IN_FOLDER;
  for (let i = 0; i < FOLDERS; i++) mkdirSync(join(source, `folder ${i}`), { recursive: true });
  for (let i = 0; i < files; i++) writeFileSync(fileOf(source, i), `file ${i}\n`.repeat(50));
  for (let i = 0; i < count; i++) {
    writeFileSync(fileOf(source, i % files), `file ${i % files} as of ${i}\n`.repeat(50));
    await backup(repository, { paths: [source], person: PERSON, threads: 0 });
  }
  await repository[Symbol.asyncDispose]();
  rmSync(join(folder, 'cache of making'), { recursive: true });
}

const count = Number(process.argv[2] ?? 1000);
const given = process.argv[3];
const folder = given ?? mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/tmp', 'nacre-history-'));
try {
  if (!existsSync(join(folder, 'repo'))) await make(folder, count);
  const cache = join(folder, 'cache');
  const path = fileOf(join(folder, 'source'), 7);
  const history = () => measure([process.execPath, PROGRAM, '-r', join(folder, 'repo'), '--cache-dir', cache, 'history', path], { env: { NACRE_PASSWORD: PASSWORD } });
  const readings = { cold: [], warm: [] };
  for (let run = 0; run < RUNS; run++) {
    rmSync(cache, { recursive: true, force: true });
    readings.cold.push(history());
    readings.warm.push(history());
  }
  for (const [name, all] of Object.entries(readings)) {
    const of = (what) => median(all.map((one) => one[what]));
    console.log(`history over ${count} snapshots, ${name}: ${of('wall').toFixed(2)} s (${of('cpu').toFixed(2)} s of processor, ${Math.round(of('rss') / 2 ** 20)} MiB); wanted: ${LIMITS[name]} s`);
  }
} finally {
  if (given === undefined) rmSync(folder, { recursive: true });
}
