// The corpora by name, each made once into a cache folder and marked by a stamp of its parameters.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeBinaries } from './binaries.mjs';
import { makeImage } from './image.mjs';
import { makeNoise } from './noise.mjs';
import { makeSmall } from './small.mjs';

const MAKERS = { small: makeSmall, binaries: makeBinaries, noise: makeNoise, image: makeImage };
export const CORPORA = Object.keys(MAKERS);

const SEED = 'nacre bench 1';
// Raise it when what is generated changes, or cached corpora would go on being measured.
const GENERATION = 1;

/** The folder that holds the corpus, made if no finished one with these parameters is there. */
export function corpus(name, { cache, scale, log }) {
  const folder = join(cache, `${name}-${scale}`);
  const data = join(folder, 'data');
  const stampFile = join(folder, 'stamp.json');
  const stamp = `${JSON.stringify({ name, scale, seed: SEED, generation: GENERATION })}\n`;
  if (readOr(stampFile) !== stamp) {
    log(`making the corpus ${name} in ${data}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(data, { recursive: true });
    MAKERS[name](data, { seed: SEED, scale });
    // Let the disk finish now, not during the first measurement.
    execFileSync('sync');
    writeFileSync(stampFile, stamp); // last: a half-made corpus has no stamp
  }
  return data;
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
