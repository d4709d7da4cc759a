// What is done with a mount, and how long it takes. Everything waits by blocking: a timer would add
// its own grain to what is measured.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const STEPS = ['first ls', 'cold find', 'warm find', 'cp -r', 'sequential', 'random'];
const OWN_MOUNT = ['first ls', 'sequential', 'random'];

const RANDOM_READS = 2000;
const READ_BYTES = 4096;
const PATIENCE_MS = 60_000;

/** Where each tool shows the newest snapshot, and how it is told to mount. */
const MOUNTS = {
  nacre: { latest: 'latest', command: ({ path }, base) => [process.execPath, [path, '-r', join(base, 'repo'), '--cache-dir', join(base, 'cache'), 'mount', join(base, 'mnt')]] },
  restic: { latest: 'snapshots/latest', command: ({ path }, base) => [path, ['-r', join(base, 'repo'), '--cache-dir', join(base, 'cache'), 'mount', join(base, 'mnt')]] },
};
MOUNTS.before = MOUNTS.nacre;
const PASSWORD = 'correct horse battery staple';

/** { step: seconds, memory: MiB } */
export function runRound({ tool, work, source, steps }) {
  const base = join(work, tool.name);
  const result = { memory: 0 };
  let mounted;
  const leave = () => {
    if (mounted === undefined) return;
    result.memory = Math.max(result.memory, mounted.unmount());
    mounted = undefined;
  };
  try {
    for (const step of STEPS.filter((one) => steps.includes(one))) {
      if (mounted === undefined || OWN_MOUNT.includes(step)) {
        leave();
        mounted = mount(tool, base);
      }
      result[step] = step === 'first ls' ? mounted.seconds : ACTIONS[step]({ at: (path) => join(mounted.latest, path), source, base });
    }
  } finally {
    leave();
  }
  return result;
}

const ACTIONS = {
  'cold find': ({ at, source }) => run('find', [at(source.small), '-ls']),
  'warm find': ({ at, source }) => run('find', [at(source.small), '-ls']),
  'cp -r'({ at, source, base }) {
    const target = join(base, 'target');
    mkdirSync(target);
    try {
      return run('cp', ['-r', at(source.small), target]);
    } finally {
      rmSync(target, { recursive: true });
    }
  },
  sequential: ({ at, source }) => run('dd', [`if=${at(source.noise)}`, 'of=/dev/null', 'bs=1M', 'status=none']),
  random({ at, source }) {
    const file = openSync(at(source.noise), 'r');
    const buffer = Buffer.alloc(READ_BYTES);
    let seed = 1;
    const started = performance.now();
    for (let i = 0; i < RANDOM_READS; i++) {
      // Lehmer's generator: the same places for every tool.
      seed = (seed * 48_271) % 2_147_483_647;
      readSync(file, buffer, 0, READ_BYTES, Math.floor((seed / 2_147_483_647) * (source.noiseBytes / READ_BYTES)) * READ_BYTES);
    }
    closeSync(file);
    return (performance.now() - started) / 1000;
  },
};

function run(program, args) {
  const started = performance.now();
  const { status, stderr, error } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}${error?.message ?? ''}`);
  return (performance.now() - started) / 1000;
}

function mount(tool, base) {
  const { latest, command } = MOUNTS[tool.name];
  const [program, args] = command(tool, base);
  const folder = join(base, 'mnt');
  const started = performance.now();
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, NACRE_PASSWORD: PASSWORD, RESTIC_PASSWORD: PASSWORD, RESTIC_PROGRESS_FPS: '0' } });
  const exit = () => spawnSync('fusermount3', ['-uz', folder]);
  process.on('exit', exit);
  while (!isMounted(folder)) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`${tool.name} has not mounted in time`);
    pause(1);
  }
  run('ls', [`${join(folder, latest)}/`]);
  const seconds = (performance.now() - started) / 1000;
  return {
    latest: join(folder, latest),
    seconds,
    unmount() {
      const memory = peakOf(child.pid);
      run('fusermount3', ['-u', folder]);
      while (isRunning(child.pid)) pause(5);
      process.off('exit', exit);
      return memory;
    },
  };
}

function isMounted(folder) {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${folder} `);
}

/** MiB */
function peakOf(pid) {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** It cannot be waited for while everything blocks: a zombie has ended. */
function isRunning(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
