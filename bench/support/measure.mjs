// Runs a command as a whole process and tells its wall time, processor time and peak memory.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('measure-child.py', import.meta.url));

/**
 * { wall, cpu } in seconds and { rss } in bytes, of `command` (a list) with `env` added to the
 * environment, on the first `cores` processors allowed to us. What it prints is shown when it fails.
 */
export function measure(command, { env = {}, cwd, cores = 2 } = {}) {
  const aside = mkdtempSync(join(tmpdir(), 'nacre-measure-'));
  const output = openSync(join(aside, 'output'), 'w');
  try {
    const { error } = spawnSync('python3', [RUNNER, join(aside, 'result'), String(cores), ...command], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    if (error) throw new Error(`python3 is needed to measure processes: ${error.message}`);
    const printed = readFileSync(join(aside, 'output'), 'utf8');
    const result = readResult(join(aside, 'result'), printed);
    if (result.code !== 0) {
      throw new Error(`exit code ${result.code} from: ${command.join(' ')}\n${printed.slice(-3000)}`);
    }
    return result;
  } finally {
    closeSync(output);
    rmSync(aside, { recursive: true, force: true });
  }
}

function readResult(path, printed) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new Error(`the command could not be run:\n${printed.slice(-3000)}`);
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
