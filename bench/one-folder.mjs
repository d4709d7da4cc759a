#!/usr/bin/env node
// How much memory each command takes where one folder holds very many entries. Needs a build, and python3.
//
//   node bench/one-folder.mjs [ENTRIES, by default 1000000] [FOLDER, by default a new one in the temporary folder]
//
// Every file is of its own, and short: as many blobs as entries. A FOLDER that is named is kept with its
// source and repository.
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from './support/measure.mjs';

const PROGRAM = process.env.NACRE_PROGRAM ?? fileURLToPath(new URL('../dist/program/main.js', import.meta.url));
const LIMIT_MIB = 350;

function make(source, count) {
  mkdirSync(source, { recursive: true });
  for (let i = 0; i < count; i++) {
    const file = openSync(join(source, `entry-${String((i * 7919) % count).padStart(9, '0')}.txt`), 'w');
    writeSync(file, `text of entry ${i}\n`);
    closeSync(file);
  }
}

const count = Number(process.argv[2] ?? 1_000_000);
const given = process.argv[3];
const folder = given ?? mkdtempSync(join(tmpdir(), 'nacre-one-folder-'));
const source = join(folder, 'source');
const target = join(folder, 'target');
try {
  if (!existsSync(source)) make(source, count);
  rmSync(join(folder, 'repo'), { recursive: true, force: true });
  rmSync(join(folder, 'cache'), { recursive: true, force: true });
  rmSync(target, { recursive: true, force: true });
  const nacre = (...rest) => [process.execPath, PROGRAM, '-r', join(folder, 'repo'), '--cache-dir', join(folder, 'cache'), ...rest];
  const steps = [
    ['init', () => nacre('init')],
    ['backup', () => nacre('backup', source)],
    ['backup, nothing new', () => nacre('backup', source)],
    ['backup, one new', () => (writeFileSync(join(source, 'new'), 'new'), nacre('backup', source))],
    ['ls', () => nacre('ls', `latest:${source}`)],
    ['find', () => nacre('find', 'entry-00000000*')],
    ['diff of snapshots', () => nacre('diff', 'latest~1', 'latest')],
    ['diff with files', () => nacre('diff', `latest:${source}`, source)],
    ['restore', () => nacre('restore', `latest:${source}`, '--target', target)],
    ['restore again', () => nacre('restore', `latest:${source}`, '--target', target, '--delete', '--yes')],
    ['check', () => nacre('check', '--read-data')],
    ['forget', () => nacre('forget', 'latest~2')],
    ['prune', () => nacre('prune')],
  ];
  for (const [name, command] of steps) {
    const { wall, cpu, rss } = measure(command(), { env: { NACRE_PASSWORD: 'bench' } });
    const mib = Math.round(rss / 2 ** 20);
    console.log(`${name.padEnd(20)} ${wall.toFixed(1).padStart(7)} s   ${cpu.toFixed(1).padStart(7)} s of processor   ${String(mib).padStart(4)} MiB   ${mib <= LIMIT_MIB ? 'ok' : `ABOVE ${LIMIT_MIB}`}`);
  }
} finally {
  if (given === undefined) rmSync(folder, { recursive: true });
}
