#!/usr/bin/env node
// `diff` and `find` over many snapshots, of nacre and of restic in turn: copies of the corpus `small` of which
// some files change before each backup. Needs a build, Debian's peers (bench/compare/peers), python3.
//
//   node bench/snapshots.mjs [SNAPSHOTS, by default 100] [FOLDER, by default in /dev/shm]
//
// Each question is a whole process, with the tool's own cache as the backups have left it; medians of five, taken
// in turns. A FOLDER that is named is kept, and used as it is the next time.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { corpus } from './compare/corpora/index.mjs';
import { calls, findTools } from './compare/tools.mjs';
import { measure, median } from './support/measure.mjs';

const RUNS = 5;
const EDITED = 70;
/** Wanted: restic's time by ours, and MiB. */
const WANTED = { ratio: 5, mib: 250 };

/** Every file below the folder, in a fixed order. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
}

function make(folder, tools, count) {
  const source = join(folder, 'source');
  cpSync(corpus('small', { cache: join(homedir(), '.cache/nacre-bench/corpora'), scale: 1, log: console.error }), source, { recursive: true });
  const files = filesOf(source);
  for (const { call } of tools) measure(call.init().command, call.init());
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < EDITED; j++) writeFileSync(files[(i * 7919 + j * 104_729) % files.length], `edited before snapshot ${i}\n`.repeat(20 + j));
    writeFileSync(join(source, `new ${i}.txt`), `new with snapshot ${i}\n`);
    for (const { call } of tools) measure(call.backup(source).command, call.backup(source));
    if (i % 10 === 9) console.error(`${i + 1} of ${count} snapshots`);
  }
}

/** The ids of all snapshots, oldest first. */
function snapshotsOf({ name, call }) {
  const { command, env } = call.snapshots();
  const aside = mkdtempSync(join(homedir(), '.nacre-bench-'));
  try {
    const listing = join(aside, 'list');
    measure(['sh', '-c', '"$@" --json > "$0"', listing, ...command], { env });
    const list = JSON.parse(readFileSync(listing, 'utf8'));
    return list.sort((a, b) => (a.time < b.time ? -1 : 1)).map((snapshot) => (name === 'restic' ? snapshot.short_id : snapshot.id));
  } finally {
    rmSync(aside, { recursive: true });
  }
}

const count = Number(process.argv[2] ?? 100);
const given = process.argv[3];
const folder = given ?? mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/tmp', 'nacre-snapshots-'));
try {
  const tools = findTools(['nacre', 'restic'], console.error).map((tool) => {
    const at = join(folder, tool.name);
    mkdirSync(join(at, 'cache'), { recursive: true });
    return { ...tool, call: calls(tool, join(at, 'repo'), join(at, 'cache')) };
  });
  if (!existsSync(join(folder, 'source'))) make(folder, tools, count);
  for (const tool of tools) tool.ids = snapshotsOf(tool);
  const half = count >> 1;
  const questions = {
    'diff first last': ({ ids }) => ['diff', ids[0], ids.at(-1)],
    'diff of neighbours': ({ ids }) => ['diff', ids[half], ids[half + 1]],
    'find a name': () => ['find', 'new 7.txt'],
    'find a pattern': () => ['find', '*7.txt'],
    'find nothing': () => ['find', 'no such name'],
  };
  for (const [question, argumentsOf] of Object.entries(questions)) {
    const readings = Object.fromEntries(tools.map(({ name }) => [name, []]));
    for (let run = 0; run < RUNS; run++) {
      for (const tool of tools) {
        const { command, env } = tool.call.snapshots();
        readings[tool.name].push(measure([...command.slice(0, -1), ...argumentsOf(tool)], { env }));
      }
    }
    const of = (name, what) => median(readings[name].map((one) => one[what]));
    const ratio = of('restic', 'wall') / of('nacre', 'wall');
    const mib = Math.max(...readings.nacre.map(({ rss }) => rss)) / 2 ** 20;
    const verdict = ratio >= WANTED.ratio && mib <= WANTED.mib ? 'ok' : 'MISSED';
    console.log(`${question.padEnd(20)} nacre ${of('nacre', 'wall').toFixed(2)} s   restic ${of('restic', 'wall').toFixed(2)} s   ${ratio.toFixed(1)} times (wanted ${WANTED.ratio})   ${Math.round(mib)} MiB (at most ${WANTED.mib})   ${verdict}`);
  }
} finally {
  if (given === undefined) rmSync(folder, { recursive: true });
}
