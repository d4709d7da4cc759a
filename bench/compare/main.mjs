// Runs the tools in turn on the corpora and prints what they took.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { sum } from '../support/folders.mjs';
import { median } from '../support/measure.mjs';
import { corpus } from './corpora/index.mjs';
import { USAGE, makeWork, readOptions } from './options.mjs';
import { corpusTable, targetTable } from './report.mjs';
import { runSteps } from './steps.mjs';
import { judge } from './targets.mjs';
import { findTools } from './tools.mjs';

const log = (text) => process.stderr.write(`compare: ${text}\n`);

function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(USAGE);
  const tools = findTools(options.tools, log);
  if (tools.length === 0) throw new Error('no tool to run');
  if (options.work) mkdirSync(options.work, { recursive: true });
  const work = makeWork(options);
  // Gigabytes in memory: they must go at an interrupt too.
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

  const machine = { cpu: cpus()[0]?.model, cores: options.cores, memory: totalmem(), node: process.version, load: loadavg()[0] };
  const results = [];
  const medians = {};
  console.log(heading(tools, machine, options));
  for (const name of options.only) {
    const data = corpus(name, { cache: options.corpora, scale: options.scale, log });
    const measured = measureCorpus({ name, data, tools, work, options });
    results.push(...measured);
    medians[name] = mediansOf(measured, tools);
    console.log(`\n${corpusTable({ name, total: sum(data), tools: tools.map((tool) => tool.name), medians: medians[name] })}`);
  }
  console.log(`\n${targetTable(medians)}`);
  if (options.json) {
    writeFileSync(options.json, `${JSON.stringify({ tools, machine, options, results, medians, targets: judge(medians) }, null, 2)}\n`);
  }
}

/** Runs interleaved, so that a slow spell of the machine falls on every tool. */
function measureCorpus({ name, data, tools, work, options }) {
  const measured = [];
  for (let run = 1; run <= options.runs; run++) {
    for (const tool of tools) {
      const steps = runSteps({ tool, corpus: name, data, run, work, cores: options.cores, verify: run === 1 });
      for (const step of steps) {
        measured.push({ corpus: name, tool: tool.name, run, ...step });
        log(`${name} ${run}/${options.runs} ${tool.name} ${step.step}: ${step.wall.toFixed(2)} s, ` +
          `CPU ${step.cpu.toFixed(2)} s, ${(step.rss / 2 ** 20).toFixed(0)} MiB, repository ${(step.repository / 1e6).toFixed(1)} MB`);
      }
    }
  }
  return measured;
}

/** { tool: { step: { wall, cpu, rss, repository } } }, each the median of the runs. */
function mediansOf(measured, tools) {
  const medians = {};
  for (const { name } of tools) {
    const own = measured.filter(({ tool }) => tool === name);
    medians[name] = {};
    for (const step of new Set(own.map((entry) => entry.step))) {
      const runs = own.filter((entry) => entry.step === step);
      medians[name][step] = Object.fromEntries(
        ['wall', 'cpu', 'rss', 'repository'].map((what) => [what, median(runs.map((entry) => entry[what]))]));
    }
  }
  return medians;
}

function heading(tools, machine, { runs, scale }) {
  const versions = tools.map(({ name, version }) => `${name} ${version}`).join(', ');
  return [`# ${versions}`, '',
    `${machine.cores} cores of ${machine.cpu}, ${(machine.memory / 2 ** 30).toFixed(0)} GiB, Node ${machine.node}; ` +
    `${runs} run(s), scale ${scale}, load at the start ${machine.load.toFixed(2)}` +
    (machine.load > 0.5 ? ' (the machine was not idle: read ratios with care)' : '')].join('\n');
}

try {
  main();
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
