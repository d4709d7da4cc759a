// Mounts the same data by each tool in turn, and tells what programs that read it took.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { corpus } from '../compare/corpora/index.mjs';
import { calls, findTools } from '../compare/tools.mjs';
import { measure, median } from '../support/measure.mjs';
import { makeNoise } from './noise.mjs';
import { STEPS, runRound } from './steps.mjs';

const log = (text) => process.stderr.write(`mount: ${text}\n`);

/** What is to be reached: restic's time by nacre's, at least; of memory MiB, at most. */
const TARGETS = { 'first ls': 2, 'cold find': 5, 'warm find': 2, 'cp -r': 5, sequential: 6, random: 3 };
const MEMORY_TARGET_MIB = 300;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    noise: { type: 'string', default: '1024M' },
    tools: { type: 'string', default: 'nacre,restic' },
    steps: { type: 'string', default: STEPS.join(',') },
    work: { type: 'string', default: '/dev/shm' },
    // A folder for repositories that stays, for the next run with it.
    keep: { type: 'string' },
    // The main.js of another build of nacre, which takes its turns too.
    before: { type: 'string' },
  },
});

function main() {
  const kept = values.keep && resolve(values.keep);
  const work = kept ?? mkdtempSync(join(values.work, 'nacre-mount-'));
  mkdirSync(work, { recursive: true });
  if (kept === undefined) process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

  const noiseBytes = Number.parseInt(values.noise, 10) * 2 ** 20;
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nacre-bench', 'corpora');
  const small = corpus('small', { cache, scale: 1, log });
  const source = { small, noise: join(work, 'noise'), noiseBytes };
  makeNoise(source.noise, noiseBytes);
  const tools = findTools(values.tools.split(','), log);
  if (values.before) tools.unshift({ name: 'before', version: '', path: resolve(values.before) });
  for (const tool of tools) prepare(tool, work, source);
  rmSync(source.noise);

  const steps = values.steps.split(',');
  const measured = new Map(tools.map(({ name }) => [name, []]));
  console.log(`${tools.map(({ name, version }) => `${name} ${version}`).join(', ')}; noise ${values.noise}, ${values.rounds} round(s), load at the start ${loadavg()[0].toFixed(2)}\n`);
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const tool of tools) {
      const result = runRound({ tool, work, source, steps });
      measured.get(tool.name).push(result);
      log(`round ${round} ${tool.name}: ${Object.entries(result).map(([step, value]) => `${step} ${value.toFixed(2)}`).join(', ')}`);
    }
  }
  report(measured, steps);
}

/** Backs the data up, unless a run before has. */
function prepare(tool, work, source) {
  const base = join(work, tool.name);
  if (existsSync(join(base, 'ready'))) return;
  rmSync(base, { recursive: true, force: true });
  const call = calls(tool.name === 'before' ? { ...tool, name: 'nacre' } : tool, join(base, 'repo'), join(base, 'cache'));
  for (const folder of ['cache', 'mnt']) mkdirSync(join(base, folder), { recursive: true });
  log(`${tool.name} backs up`);
  const init = call.init();
  measure(init.command, init);
  const backup = call.backup(source.small);
  measure([...backup.command, source.noise], backup);
  mkdirSync(join(base, 'ready'));
}

function report(measured, steps) {
  const of = (name, step) => median((measured.get(name) ?? []).map((result) => result[step]));
  const names = [...measured.keys()];
  const isCompared = names.includes('nacre') && names.includes('restic');
  console.log(`| step | ${names.join(' | ')} |${isCompared ? ' restic/nacre | to reach |' : ''}`);
  console.log(`|---|${names.map(() => '--:|').join('')}${isCompared ? '--:|--:|' : ''}`);
  for (const step of steps) {
    const ratio = isCompared ? ` ${(of('restic', step) / of('nacre', step)).toFixed(2)} | ${TARGETS[step].toFixed(1)} |` : '';
    console.log(`| ${step} | ${names.map((name) => `${of(name, step).toFixed(2)} s`).join(' | ')} |${ratio}`);
  }
  console.log(`| peak memory | ${names.map((name) => `${of(name, 'memory').toFixed(0)} MiB`).join(' | ')} |${isCompared ? ` | ${MEMORY_TARGET_MIB} MiB |` : ''}`);
}

try {
  main();
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
