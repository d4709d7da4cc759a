// Real files of this machine, up to about 1.9 GB: programs, libraries and what lies beside them.
// Copied, so that neither the corpus nor its timestamps change under the measurement.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { machineFiles } from './machine-files.mjs';

const BYTES = 1.9e9;

export function makeBinaries(folder, { scale }) {
  let left = BYTES * scale;
  for (const { path, size } of machineFiles()) {
    if (left <= 0) return;
    if (size > left) continue; // a file too large to fit: go on with smaller ones
    const copy = join(folder, path);
    mkdirSync(dirname(copy), { recursive: true });
    try {
      copyFileSync(path, copy);
      left -= size;
    } catch (error) {
      if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
    }
  }
}
