// The regular files that this machine has, in an order that does not change by itself.
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOTS = ['/usr/bin', '/usr/sbin', '/usr/lib', '/usr/libexec', '/usr/local', '/usr/share', '/opt'];

/** Yields { path, size } below ROOTS, sorted in each folder, every inode once, links not followed. */
export function* machineFiles() {
  const seen = new Set();
  for (const root of ROOTS) yield* walk(root, seen);
}

function* walk(folder, seen) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return; // unreadable or absent here: the corpus is what the machine offers
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* walk(path, seen);
    } else if (entry.isFile()) {
      const { dev, ino, size } = lstatSync(path);
      const inode = `${dev}:${ino}`;
      if (seen.has(inode)) continue;
      seen.add(inode);
      yield { path, size };
    }
  }
}
