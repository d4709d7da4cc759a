// What a benchmark does with whole folders, outside of what it times: warm, sum up, compare.
import { closeSync, lstatSync, openSync, readSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const STEP = 4 << 20;

/** Yields { path (relative, '' for the folder itself), stat } of everything, in a fixed order. */
export function* walk(root, path = '') {
  const stat = lstatSync(join(root, path), { bigint: true });
  yield { path, stat };
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(join(root, path)).sort()) yield* walk(root, join(path, name));
}

/** Files, folders, and the sum of the files' lengths. */
export function sum(root) {
  const total = { files: 0, folders: 0, bytes: 0 };
  for (const { stat } of walk(root)) {
    if (stat.isDirectory()) {
      total.folders++;
    } else {
      total.files++;
      total.bytes += Number(stat.size);
    }
  }
  return total;
}

/** Reads everything once, so that no tool pays for the disk. */
export function warm(root) {
  const buffer = Buffer.allocUnsafe(STEP);
  for (const { path, stat } of walk(root)) {
    if (!stat.isFile()) continue;
    const file = openSync(join(root, path), 'r');
    while (readSync(file, buffer, 0, STEP, null) > 0);
    closeSync(file);
  }
}

/** The first difference between two trees (names, types, modes, times, links, bytes), or undefined. */
export function difference(left, right) {
  const others = walk(right);
  const buffers = [Buffer.allocUnsafe(STEP), Buffer.allocUnsafe(STEP)];
  for (const { path, stat } of walk(left)) {
    const other = others.next().value;
    if (other?.path !== path) return `${path} stands against ${other?.path ?? 'nothing'}`;
    const said = describe(left, path, stat);
    const says = describe(right, path, other.stat);
    if (said !== says) return `${path || 'the folder itself'}: ${said} against ${says}`;
    if (stat.isFile() && !sameBytes(join(left, path), join(right, path), buffers)) return `${path}: other bytes`;
  }
  const more = others.next().value;
  return more && `nothing stands against ${more.path}`;
}

function describe(root, path, stat) {
  const parts = [`mode ${stat.mode.toString(8)}`, `owner ${stat.uid}:${stat.gid}`];
  if (stat.isSymbolicLink()) parts.push(`link to ${readlinkSync(join(root, path))}`);
  else parts.push(`mtime ${stat.mtimeNs}`);
  if (stat.isFile()) parts.push(`${stat.size} bytes`);
  return parts.join(', ');
}

function sameBytes(left, right, [a, b]) {
  const files = [openSync(left, 'r'), openSync(right, 'r')];
  try {
    for (;;) {
      const got = readSync(files[0], a, 0, STEP, null);
      const other = readSync(files[1], b, 0, STEP, null);
      if (got !== other || a.compare(b, 0, got, 0, got) !== 0) return false;
      if (got === 0) return true;
    }
  } finally {
    files.forEach(closeSync);
  }
}
