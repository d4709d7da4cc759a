// A disk image of 800 MB (half binaries, a quarter text, a quarter zeros, in extents), and the same
// image after 200 inserts of up to 5 KB: what a deduplicating store should add little for.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Noise, Random } from '../../support/random.mjs';
import { TextModel, pickKind } from '../../support/text.mjs';
import { machineFiles } from './machine-files.mjs';

const BYTES = 800e6;
const INSERTS = 200;
const LONGEST_INSERT = 5 << 10;
const SECTOR = 4096;

export function makeImage(folder, { seed, scale }) {
  const first = join(folder, 'first.img');
  const bytes = Math.round((BYTES * scale) / SECTOR) * SECTOR;
  writeImage(first, bytes, seed);
  insert(first, join(folder, 'edited.img'), bytes, Math.max(1, Math.round(INSERTS * scale)), seed);
}

function writeImage(path, bytes, seed) {
  const random = new Random(`image ${seed}`);
  const model = new TextModel(seed);
  const binaries = readOn(machineFiles());
  const file = openSync(path, 'w');
  for (let at = 0; at < bytes;) {
    // Extents of 16 KiB to 4 MiB, as likely in each octave, whole sectors as on a disk.
    const extent = Math.min(bytes - at, SECTOR * Math.round(2 ** (2 + 8 * random.float())));
    const roll = random.float();
    if (roll < 0.5) writeSync(file, binaries(extent));
    else if (roll < 0.75) writeSync(file, model.make(pickKind(random).kind, model.topic(random), random, extent));
    else writeSync(file, Buffer.alloc(extent)); // written, not a hole: every tool must read it
    at += extent;
  }
  closeSync(file);
}

/** Gives the next bytes of the machine's files as if they were one; zeros after the last. */
function readOn(files) {
  let file;
  return (length) => {
    const bytes = Buffer.alloc(length);
    for (let filled = 0; filled < length;) {
      if (file === undefined) {
        const { value, done } = files.next();
        if (done) return bytes;
        try {
          file = openSync(value.path, 'r');
        } catch {
          continue;
        }
      }
      const got = readSync(file, bytes, filled, length - filled, null);
      filled += got;
      if (got === 0) {
        closeSync(file);
        file = undefined;
      }
    }
    return bytes;
  };
}

function insert(from, to, bytes, count, seed) {
  const random = new Random(`inserts ${seed}`);
  const noise = new Noise(`inserts ${seed}`);
  const places = Array.from({ length: count }, () => random.below(bytes)).sort((a, b) => a - b);
  const source = openSync(from, 'r');
  const edited = openSync(to, 'w');
  let at = 0;
  for (const place of [...places, fstatSync(source).size]) {
    const kept = Buffer.alloc(place - at);
    readSync(source, kept, 0, kept.length, at);
    writeSync(edited, kept);
    at = place;
    if (place < bytes) writeSync(edited, noise.bytes(random.between(1, LONGEST_INSERT)));
  }
  closeSync(source);
  closeSync(edited);
}
