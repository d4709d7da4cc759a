// Runs the tools in turn against the same real storage through a line with latency; see README.md.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { difference, warm } from '../support/folders.mjs';
import { measure, median } from '../support/measure.mjs';
import { corpus } from '../compare/corpora/index.mjs';
import { openLine } from './line.mjs';
import { OVER, services } from './services.mjs';
import { calls, TOOLS } from './tools.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'binaries,small' },
    over: { type: 'string', default: OVER.join(',') },
    tools: { type: 'string', default: 'nacre,restic' },
    steps: { type: 'string', default: 'init,first,second,restore,check,snapshots' },
    scale: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    latency: { type: 'string', default: '20' },
    snapshots: { type: 'string', default: '100' },
    corpora: { type: 'string', default: join(process.env.XDG_CACHE_HOME || join(process.env.HOME, '.cache'), 'nacre-bench', 'corpora') },
    work: { type: 'string', default: '/dev/shm' },
    help: { type: 'boolean', short: 'h' },
  },
});
const log = (text) => process.stderr.write(`remote: ${text}\n`);
const LISTINGS = 5;
const wants = (step) => options.steps.split(',').includes(step);

if (options.help) {
  console.log(`usage: bench/remote/run [--only binaries,small] [--over ${OVER.join(',')}] [--tools ${TOOLS.join(',')}] [--scale 1] [--runs 1] [--latency 20] [--snapshots 100] [--steps ${options.steps}] [--corpora DIR] [--work DIR]`);
} else await main();

async function main() {
  const work = mkdtempSync(join(options.work, 'nacre-remote-'));
  const measured = [];
  try {
    for (const over of options.over.split(',')) {
      const service = await services[over](work);
      const line = await openLine(service.port, Number(options.latency));
      try {
        for (const name of options.only.split(',')) await runCorpus({ over, name, service, line, work, measured });
      } finally {
        await line.close();
        service.close();
      }
    }
    report(measured);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Tools take turns, step by step, so that a slow spell of the machine falls on all of them. */
async function runCorpus({ over, name, service, line, work, measured }) {
  const data = corpus(name, { cache: options.corpora, scale: Number(options.scale), log });
  warm(data);
  for (let run = 1; run <= Number(options.runs); run++) {
    const players = options.tools.split(',').flatMap((tool) => {
      const base = join(work, `${over}-${name}-${run}-${tool}`);
      for (const folder of ['cache', 'target', 'few']) mkdirSync(join(base, folder), { recursive: true });
      const call = calls[tool](service.reach(line.port, `${name}-${run}-${tool}`), join(base, 'cache'));
      // Past the line: what only prepares a step need not take its time.
      const near = calls[tool](service.reach(service.port, `${name}-${run}-${tool}`), join(base, 'cache'));
      return call === undefined ? [] : [{ tool, base, call, near }];
    });
    const turn = async (step, commandOf, times = 1) => {
      for (const { tool, base, call } of players) {
        const command = commandOf(call, base);
        if (command === undefined) continue;
        await line.passed();
        const all = Array.from({ length: times }, () => measure(command.command, { env: command.env }));
        const passed = await line.passed();
        const entry = { over, corpus: name, step, tool, run, wall: median(all.map(({ wall }) => wall)), cpu: median(all.map(({ cpu }) => cpu)), rss: Math.max(...all.map(({ rss }) => rss)), requests: passed.requests / times, up: passed.up / times, down: passed.down / times };
        measured.push(entry);
        log(`${over} ${name} ${tool} ${step}: ${entry.wall.toFixed(2)} s, CPU ${entry.cpu.toFixed(2)} s, ${(entry.rss / 2 ** 20).toFixed(0)} MiB, ${entry.requests} requests, up ${(entry.up / 1e6).toFixed(1)} MB, down ${(entry.down / 1e6).toFixed(1)} MB, load ${loadavg()[0].toFixed(1)}`);
      }
    };
    await turn('init', (call) => call.init());
    if (wants('first')) await turn('first', (call) => call.backup(data));
    if (wants('second')) await turn('second', (call) => call.backup(data));
    if (wants('restore')) {
      await turn('restore', (call, base) => call.restore?.(join(base, 'target')));
      for (const { tool, base, call } of players) {
        const found = run === 1 && call.restore && difference(data, join(base, 'target', data));
        if (found) throw new Error(`${tool} restored something else: ${found}`);
        rmSync(join(base, 'target'), { recursive: true });
      }
    }
    if (wants('check')) await turn('check', (call) => call.check?.());
    if (wants('snapshots')) {
      for (const { base, near } of players) {
        if (!near.snapshots) continue;
        for (let made = wants('second') ? 2 : 1; made < Number(options.snapshots); made++) {
          writeFileSync(join(base, 'few', 'file'), String(made));
          measure(near.backup(join(base, 'few')).command, { env: near.backup(join(base, 'few')).env });
        }
      }
      await turn('warm up', (call) => call.snapshots?.());
      await turn('snapshots', (call) => call.snapshots?.(), LISTINGS);
    }
    for (const { base } of players) rmSync(base, { recursive: true, force: true });
  }
}

function report(measured) {
  console.log(`# ${options.latency} ms each way, scale ${options.scale}, ${options.runs} run(s), load ${loadavg()[0].toFixed(1)}\n`);
  console.log('| over | corpus | step | nacre s | other | s | other/nacre | nacre requests | other requests | nacre MiB |\n|---|---|---|---:|---|---:|---:|---:|---:|---:|');
  const of = (entry, tool, what) => {
    const own = measured.filter((other) => other.tool === tool && ['over', 'corpus', 'step'].every((key) => other[key] === entry[key]));
    return own.length === 0 ? undefined : median(own.map((other) => other[what]));
  };
  for (const entry of measured.filter(({ tool, run }) => tool === 'nacre' && run === 1)) {
    for (const other of options.tools.split(',').filter((tool) => tool !== 'nacre')) {
      const wall = of(entry, other, 'wall');
      if (wall === undefined) continue;
      const nacre = of(entry, 'nacre', 'wall');
      console.log(`| ${entry.over} | ${entry.corpus} | ${entry.step} | ${nacre.toFixed(2)} | ${other} | ${wall.toFixed(2)} | ${(wall / nacre).toFixed(2)} | ${of(entry, 'nacre', 'requests')} | ${of(entry, other, 'requests')} | ${(of(entry, 'nacre', 'rss') / 2 ** 20).toFixed(0)} |`);
    }
  }
}
