// One incompressible file of 2 GiB: what remains is reading, cutting, hashing, sealing and writing.
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Noise } from '../../support/random.mjs';

const BYTES = 2 * 1024 ** 3;
const STEP = 8 << 20;

export function makeNoise(folder, { seed, scale }) {
  const noise = new Noise(seed);
  const file = openSync(join(folder, 'noise.bin'), 'w');
  for (let left = Math.round(BYTES * scale); left > 0; left -= STEP) {
    writeSync(file, noise.bytes(Math.min(STEP, left)));
  }
  closeSync(file);
}
