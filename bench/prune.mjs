#!/usr/bin/env node
// Prune that frees half of a repository, beside restic: files of which every second one is gone in the
// second snapshot, and the first snapshot is forgotten. Needs a build, python3 (for measuring) and room for
// three times the size in the folder.
//
//   RESTIC=/path/to/restic node bench/prune.mjs [MEGABYTES, by default 2000] [FOLDER, by default in /dev/shm]
import { createCipheriv } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from './support/measure.mjs';

const PROGRAM = fileURLToPath(new URL('../dist/program/main.js', import.meta.url));
const megabytes = Number(process.argv[2] ?? 2000);
const folder = mkdtempSync(join(process.argv[3] ?? '/dev/shm', 'nacre-prune-'));
const source = join(folder, 'source');
const FILE_BYTES = 1_000_000;

/** Bytes of which zstd makes two thirds. */
function bytesOf(seed) {
  const key = Buffer.alloc(32, `${seed}`);
  const bytes = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(FILE_BYTES));
  for (let at = 0; at < bytes.length; at += 3) bytes[at] = 0x41;
  return bytes;
}

const tools = {
  nacre: (repo) => ({
    env: { NACRE_PASSWORD: 'bench', NACRE_REPOSITORY: repo, NACRE_CACHE_DIR: `${repo}-cache` },
    command: (...args) => [process.execPath, PROGRAM, ...args],
    forget: ['forget', '--keep-last', '1', '--group-by', ''],
    prune: ['prune', '--max-unused', '0'],
  }),
  ...(process.env.RESTIC === undefined ? {} : {
    restic: (repo) => ({
      env: { RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: repo, RESTIC_CACHE_DIR: `${repo}-cache`, GOMAXPROCS: '2' },
      command: (...args) => [process.env.RESTIC, ...args],
      forget: ['forget', '--keep-last', '1', '--group-by', ''],
      prune: ['prune', '--max-unused', '0'],
    }),
  }),
};

try {
  mkdirSync(source);
  for (let i = 0; i < megabytes; i++) writeFileSync(join(source, `file-${i}`), bytesOf(i));
  const ready = [];
  for (const [name, tool] of Object.entries(tools)) {
    const { env, command, ...rest } = tool(join(folder, name));
    measure(command('init'), { env });
    measure(command('backup', source), { env });
    ready.push({ name, env, command, ...rest });
  }
  for (let i = 0; i < megabytes; i += 2) rmSync(join(source, `file-${i}`));
  for (const { env, command, forget } of ready) {
    measure(command('backup', source), { env });
    measure(command(...forget), { env });
  }
  for (const { name, env, command, prune } of ready) {
    const of = measure(command(...prune), { env });
    measure(command('check', '--read-data'), { env });
    console.log(`${name}: prune of ${megabytes} MB that frees half: ${of.wall.toFixed(2)} s (${of.cpu.toFixed(2)} s of processor, ${Math.round(of.rss / 2 ** 20)} MiB)`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
