// How each tool is called. A tool is a function from its places (repo, cache) to the commands of the
// steps; each command is { command, cwd?, env }. Everything is left at the tool's defaults, but for
// borg, which has no default for encryption and would use lz4: zstd 3 is what the two others use.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NACRE = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url));
const PEERS = fileURLToPath(new URL('peers', import.meta.url));
// Not a secret: it guards generated data.
const PASSWORD = 'correct horse battery staple';

export const TOOLS = ['nacre', 'restic', 'borg'];

const CALLS = {
  nacre: ({ path, repo, cache }) => {
    const env = { NACRE_PASSWORD: PASSWORD };
    const nacre = (...rest) => ({ command: [process.execPath, path, '-r', repo, '--cache-dir', cache, ...rest], env });
    return {
      init: () => nacre('init'),
      backup: (source) => nacre('backup', source),
      restore: (target) => nacre('restore', 'latest', '--target', target),
      check: () => nacre('check', '--read-data'),
      snapshots: () => nacre('snapshots'),
    };
  },

  restic: ({ path, repo, cache }) => {
    const env = { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: cache };
    const restic = (...rest) => ({ command: [path, '-r', repo, ...rest], env });
    return {
      init: () => restic('init'),
      backup: (source) => restic('backup', source),
      restore: (target) => restic('restore', 'latest', '--target', target),
      check: () => restic('check', '--read-data'),
      snapshots: () => restic('snapshots'),
    };
  },

  borg: ({ path, repo, cache }) => {
    // The base folder holds borg's cache, its keys and its notes on known repositories.
    const env = { BORG_PASSPHRASE: PASSWORD, BORG_BASE_DIR: cache };
    const borg = (...rest) => ({ command: [path, ...rest], env });
    let count = 0; // borg names its snapshots; the others number them
    return {
      init: () => borg('init', '-e', 'repokey-blake2', repo),
      backup: (source) => borg('create', '--compression', 'zstd,3', `${repo}::${++count}`, source),
      // It has no option for the target: it extracts into the current folder.
      restore: (target) => ({ ...borg('extract', `${repo}::${count}`), cwd: target }),
      check: () => borg('check', '--verify-data', repo),
      snapshots: () => borg('list', repo),
    };
  },
};

/** The commands of one tool on one repository. */
export const calls = (tool, repo, cache) => CALLS[tool.name]({ path: tool.path, repo, cache });

/** Of the tools asked for, those that are here, as { name, version, path }. */
export function findTools(names, log) {
  const found = [];
  const peers = names.some((name) => name !== 'nacre') ? findPeers() : [];
  for (const name of names) {
    const tool = name === 'nacre' ? findNacre(log) : peers.find((peer) => peer.name === name);
    if (tool) found.push(tool);
  }
  return found;
}

function findNacre(log) {
  if (!existsSync(NACRE)) {
    log('nacre is skipped: dist/program/main.js is missing; build it first (npm run build)');
    return undefined;
  }
  const version = execFileSync(process.execPath, [NACRE, '--version'], { encoding: 'utf8' }).trim();
  return { name: 'nacre', version: version.replace(/^nacre\s+/, ''), path: NACRE };
}

function findPeers() {
  const lines = execFileSync(PEERS, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return lines.trim().split('\n').map((line) => {
    const [name, version, path] = line.split('\t');
    return { name, version, path };
  });
}

/** A place of one run, inside the work folder: fresh, and of no other run. */
export function places(work, tool, corpus, run) {
  const base = join(work, `${corpus}-${run}-${tool.name}`);
  return { base, repo: join(base, 'repo'), cache: join(base, 'cache'), target: join(base, 'target') };
}
