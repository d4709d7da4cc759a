// Tables for people, in markdown.
import { growth, judge } from './targets.mjs';

const MIB = 2 ** 20;

/** The table of one corpus: a row a step, and for each tool its time, processor, memory and size. */
export function corpusTable({ name, total, tools, medians }) {
  const peers = tools.filter((tool) => tool !== 'nacre');
  const ratios = tools.includes('nacre') ? peers : [];
  const header = ['step', ...tools.map((tool) => `${tool} s`), ...ratios.map((peer) => `${peer}/nacre`),
    ...tools.map((tool) => `${tool} CPU s`), ...tools.map((tool) => `${tool} MiB`), ...tools.map((tool) => `${tool} repo MB`)];
  const steps = Object.keys(medians[tools[0]]);
  const rows = steps.map((step) => {
    const of = (tool) => medians[tool][step];
    return [step,
      ...tools.map((tool) => of(tool).wall.toFixed(2)),
      ...ratios.map((peer) => (of(peer).wall / of('nacre').wall).toFixed(2)),
      ...tools.map((tool) => of(tool).cpu.toFixed(2)),
      ...tools.map((tool) => (of(tool).rss / MIB).toFixed(0)),
      ...tools.map((tool) => (of(tool).repository / 1e6).toFixed(1))];
  });
  const lines = [`## ${name}: ${total.files} files in ${total.folders} folders, ${(total.bytes / 1e6).toFixed(1)} MB`, '',
    ...table(header, rows)];
  if (steps.includes('edited backup')) {
    lines.push('', `The edit added ${tools.map((tool) => `${tool} ${(growth(medians[tool]) / 1e6).toFixed(1)} MB`).join(', ')}.`);
  }
  return lines.join('\n');
}

/** The targets and how far nacre is, or why there is nothing to say. */
export function targetTable(medians) {
  const rows = judge(medians).map(({ what, corpus, value, bound, atMost, pass }) =>
    [what, corpus, `${atMost ? '<=' : '>='} ${bound}`, value.toFixed(value < 10 ? 2 : 0), pass ? 'PASS' : 'short']);
  if (rows.length === 0) return '## Targets\n\nNothing to compare: targets need both nacre and restic.';
  return ['## Targets', '', ...table(['what', 'corpus', 'target', 'reached', ''], rows)].join('\n');
}

function table(header, rows) {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(header), rule, ...rows.map(line)];
}
