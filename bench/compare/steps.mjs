// The steps of one run of one tool on one corpus, each measured as a whole process.
import { copyFileSync, mkdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { difference, sum, warm } from '../support/folders.mjs';
import { measure, median } from '../support/measure.mjs';
import { calls, places } from './tools.mjs';

// Listing takes a fraction of a second: one reading of it would be mostly noise.
const LISTINGS = 5;

/**
 * Yields { step, wall, cpu, rss, repository } as they come. `verify` compares the restored tree with
 * the source, outside of what is timed.
 */
export function* runSteps({ tool, corpus, data, run, work, cores, verify }) {
  const { base, repo, cache, target } = places(work, tool, corpus, run);
  const source = corpus === 'image' ? join(base, 'source') : data;
  for (const folder of [cache, target]) mkdirSync(folder, { recursive: true });
  const call = calls(tool, repo, cache);
  const step = (name, { command, cwd, env }) => {
    const used = measure(command, { cwd, cores, env });
    return { step: name, ...used, repository: sum(repo).bytes };
  };
  try {
    if (corpus === 'image') layImage(data, source, 'first.img');
    warm(source);
    yield step('init', call.init());
    yield step('first backup', call.backup(source));
    yield step('second backup', call.backup(source));
    if (corpus === 'image') {
      layImage(data, source, 'edited.img');
      yield step('edited backup', call.backup(source));
    }
    yield listings(step, call);
    yield step('restore', call.restore(target));
    if (verify) verifyRestored(tool, source, join(target, source));
    rmSync(target, { recursive: true });
    yield step('check', call.check());
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

function listings(step, call) {
  const all = Array.from({ length: LISTINGS }, () => step('snapshots', call.snapshots()));
  return {
    ...all[0],
    wall: median(all.map(({ wall }) => wall)),
    cpu: median(all.map(({ cpu }) => cpu)),
    rss: Math.max(...all.map(({ rss }) => rss)),
  };
}

/** Puts one version of the image at the path that is backed up, as an editor of the image would. */
function layImage(data, source, version) {
  const image = join(source, 'disk.img');
  mkdirSync(source, { recursive: true });
  copyFileSync(join(data, version), image);
  const now = Date.now() / 1000;
  utimesSync(image, now, now);
}

function verifyRestored(tool, source, restored) {
  const found = difference(source, restored);
  if (found) throw new Error(`${tool.name} ${tool.version} restored something else: ${found}`);
}
