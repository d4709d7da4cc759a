// The scenarios of scripts/torture, run one after another, and the sums at the end.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SCENARIOS = {
  model: ['test/model'],
  'kill-backup': ['test/crash/kill.test.ts', 'test/crash/interrupted.test.ts'],
  'kill-prune': ['test/crash/prune.test.ts'],
  stop: ['test/crash/stop.torture.ts'],
  'every-call': ['test/crash/every-call.test.ts', 'test/features/prune/crash.test.ts', 'test/features/repair/crash.test.ts'],
  thrash: ['test/crash/thrash.torture.ts'],
  lists: ['test/crash/lying-lists.test.ts', 'test/features/prune/protocol.test.ts'],
  'cut-writes': ['test/crash/cut-writes.test.ts'],
  'full-disk': ['test/crash/disk-full.test.ts'],
  'bit-flips': ['test/crash/bit-flips.test.ts', 'test/crash/damage.test.ts'],
  repair: ['test/features/repair', 'test/cli/repair.test.ts'],
  parsers: ['test/hostile/parsers.test.ts'],
  bombs: ['test/features/bombs.test.ts', 'test/codec/zstd.test.ts'],
  far: ['test/cli/s3-far.test.ts'],
  mount: ['test/cli/mount-large.test.ts'],
}

const { values } = parseArgs({ options: { only: { type: 'string' }, seed: { type: 'string' }, rounds: { type: 'string' }, list: { type: 'boolean' } } })
if (values.list) {
  for (const [name, files] of Object.entries(SCENARIOS)) console.log(`${name.padEnd(12)} ${files.join(' ')}`)
  process.exit(0)
}
const names = values.only?.split(',') ?? Object.keys(SCENARIOS)
const unknown = names.filter((name) => !(name in SCENARIOS))
if (unknown.length > 0 || (values.seed !== undefined && !/^\d{1,10}$/.test(values.seed)) || (values.rounds !== undefined && !/^[1-9]\d{0,6}$/.test(values.rounds))) {
  console.error(unknown.length > 0 ? `there is no scenario ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}` : '--seed and --rounds take a number')
  process.exit(2)
}

const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31))
const folder = mkdtempSync(join(tmpdir(), 'nacre-torture-'))
const rows = []
console.log(`seed ${seed}`)
try {
  for (const name of names) rows.push(runScenario(name))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** One scenario in a process of its own; what it counted, and how many of its tests failed. */
function runScenario(name) {
  const [tally, counts] = [join(folder, `${name}.tally`), join(folder, `${name}.counts`)]
  console.log(`\n== ${name}`)
  const started = performance.now()
  const env = {
    ...process.env,
    NACRE_TORTURE: '1',
    NACRE_TORTURE_SEED: seed,
    NACRE_TORTURE_TALLY: tally,
    TEST_COUNTS_FILE: counts,
    ...(values.rounds === undefined ? {} : { NACRE_TORTURE_ROUNDS: values.rounds }),
  }
  const ended = spawnSync(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'test/vitest.config.ts', ...SCENARIOS[name]], { cwd: ROOT, env, stdio: 'inherit' })
  const outcome = readOr(counts, (text) => JSON.parse(text), { passed: 0, failed: 1, skipped: 0 })
  const sums = {}
  for (const line of readOr(tally, (text) => text.split('\n'), [])) {
    const [what, by] = line.split(' ')
    if (by !== undefined) sums[what] = (sums[what] ?? 0) + Number(by)
  }
  const violations = Math.max(outcome.failed, ended.status === 0 ? 0 : 1)
  return { name, minutes: (performance.now() - started) / 60_000, tests: outcome.passed + outcome.failed, violations, sums }
}

function readOr(file, parse, otherwise) {
  try {
    return parse(readFileSync(file, 'utf8'))
  } catch {
    return otherwise
  }
}

const KINDS = ['runs', 'kills', 'stops', 'faults', 'inputs', 'checks', 'restores']
const total = (what) => rows.reduce((sum, row) => sum + (row.sums[what] ?? 0), 0)
console.log(`\n${['scenario', 'minutes', 'tests', ...KINDS, 'violations'].map((title) => title.padStart(11)).join('')}`)
for (const { name, minutes, tests, violations, sums } of rows) {
  console.log([name, minutes.toFixed(1), tests, ...KINDS.map((kind) => sums[kind] ?? 0), violations].map((cell) => String(cell).padStart(11)).join(''))
}
const violations = rows.reduce((sum, row) => sum + row.violations, 0)
console.log(`\nseed ${seed}: ${KINDS.map((kind) => `${total(kind)} ${kind}`).join(', ')}, ${violations} violations`)
process.exitCode = violations > 0 ? 1 : 0
