// The options of bench/compare/run.
import { mkdtempSync, statfsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CORPORA } from './corpora/index.mjs';
import { TOOLS } from './tools.mjs';

export const USAGE = `usage: bench/compare/run [options]
  --only ${CORPORA.join(',')}   corpora to measure (all)
  --tools ${TOOLS.join(',')}               tools to run (all)
  --runs N        runs of each tool on each corpus; medians are told (3)
  --scale X       size of the generated corpora, 1 being the full one (1)
  --cores N       processors that a tool may use (2)
  --work DIR      where repositories and restored files go (a fresh folder in /dev/shm)
  --corpora DIR   where corpora are kept (nacre-bench/corpora in the cache folder)
  --json FILE     write every measurement to FILE too`;

/** The options, checked; a complaint for the user is thrown as a plain Error. */
export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string', default: CORPORA.join(',') },
      tools: { type: 'string', default: TOOLS.join(',') },
      runs: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      cores: { type: 'string', default: '2' },
      work: { type: 'string' },
      corpora: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return {
    help: values.help,
    only: listOf(values.only, CORPORA, '--only'),
    tools: listOf(values.tools, TOOLS, '--tools'),
    runs: positive(values.runs, '--runs', Number.isInteger),
    scale: positive(values.scale, '--scale', Number.isFinite),
    cores: positive(values.cores, '--cores', Number.isInteger),
    work: values.work && resolve(values.work),
    corpora: values.corpora ? resolve(values.corpora)
      : join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nacre-bench', 'corpora'),
    json: values.json && resolve(values.json),
  };
}

function listOf(text, known, option) {
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${option}: unknown ${JSON.stringify(unknown)}, known are ${known.join(', ')}`);
  return known.filter((name) => names.includes(name));
}

function positive(text, option, test) {
  const number = Number(text);
  if (!test(number) || number <= 0) throw new Error(`${option}: ${JSON.stringify(text)} is not a number that fits`);
  return number;
}

const MEMORY = '/dev/shm';
// The largest repository and the largest restored tree at once (noise, 2 GiB each), and some air.
const NEEDED = 6e9;

/** A fresh work folder: where it was asked for, else in memory. */
export function makeWork({ work, scale }) {
  if (!work) {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < NEEDED * scale) {
      throw new Error(`${MEMORY} has too little room for this scale: name a folder with --work (times then include its disk)`);
    }
  }
  return mkdtempSync(join(work ?? MEMORY, 'nacre-compare-'));
}
