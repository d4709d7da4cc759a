// A file that nothing compresses, the same in every run.
import { createCipheriv } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

const PIECE = Buffer.alloc(4 * 2 ** 20);

export function makeNoise(path, bytes) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const file = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= PIECE.length) writeSync(file, cipher.update(PIECE.subarray(0, Math.min(left, PIECE.length))));
  closeSync(file);
}
