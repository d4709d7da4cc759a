// How each tool is called on a storage that is far away. Everything is left at the tool's defaults.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const NACRE = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url));
const PEERS = fileURLToPath(new URL('../compare/peers', import.meta.url));
// Not a secret: it guards generated data.
const PASSWORD = 'correct horse battery staple';

export const TOOLS = ['nacre', 'restic', 's3cmd'];

export const calls = {
  nacre({ location, env, init }, cache) {
    const nacre = (...rest) => ({ command: [process.execPath, NACRE, '-r', location, '--cache-dir', cache, ...rest], env: { ...env, NACRE_PASSWORD: PASSWORD } });
    return {
      init: () => nacre('init', ...init),
      backup: (source, ...more) => nacre('backup', source, ...more),
      restore: (target) => nacre('restore', 'latest', '--target', target),
      check: () => nacre('check', '--read-data'),
      snapshots: () => nacre('snapshots'),
    };
  },
  restic({ location, resticLocation = location, resticOptions = [], env }, cache) {
    const restic = (...rest) => ({ command: [resticPath(), '-r', resticLocation, ...resticOptions, ...rest], env: { ...env, RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: cache } });
    return {
      init: () => restic('init'),
      backup: (source) => restic('backup', source),
      restore: (target) => restic('restore', 'latest', '--target', target),
      check: () => restic('check', '--read-data'),
      snapshots: () => restic('snapshots'),
    };
  },
  // No repository: a copy, file by file, as a yardstick for many small files.
  s3cmd({ s3cmd }) {
    if (s3cmd === undefined) return undefined;
    const call = (...rest) => ({ command: ['s3cmd', ...s3cmd.options, ...rest], env: {} });
    return { init: () => call('mb', s3cmd.bucket), backup: (source) => call('sync', '--no-progress', '--quiet', `${source}/`, `${s3cmd.bucket}/`) };
  },
};

let restic;
function resticPath() {
  restic ??= execFileSync(PEERS, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).split('\n').find((line) => line.startsWith('restic\t')).split('\t')[2];
  return restic;
}
