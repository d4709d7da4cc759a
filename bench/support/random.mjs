// Seeded randomness: the same seed gives the same corpus on every machine and Node version.
import { createCipheriv, createHash } from 'node:crypto';

/** xoshiro128** seeded from a string. Fast, and good enough for making test data; not for secrets. */
export class Random {
  #a; #b; #c; #d;

  constructor(seed) {
    const words = createHash('sha256').update(String(seed)).digest();
    this.#a = words.readInt32LE(0);
    this.#b = words.readInt32LE(4);
    this.#c = words.readInt32LE(8);
    this.#d = words.readInt32LE(12) | 1; // the all-zero state would stay zero
  }

  u32() {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A number from 0 (included) to 1 (excluded). */
  float() { return this.u32() / 0x1_0000_0000; }

  /** A whole number from 0 to n - 1. */
  below(n) { return Math.floor(this.float() * n); }

  /** A whole number from low to high, both included. */
  between(low, high) { return low + this.below(high - low + 1); }

  pick(list) { return list[this.below(list.length)]; }

  chance(probability) { return this.float() < probability; }

  /** Standard normal, by Box and Muller. */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.float())) * Math.cos(2 * Math.PI * this.float());
  }
}

/** An endless source of incompressible bytes at memory speed: an AES-CTR keystream. */
export class Noise {
  #cipher;
  #zeros = Buffer.alloc(0);

  constructor(seed) {
    const key = createHash('sha256').update(`noise ${seed}`).digest();
    this.#cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  }

  bytes(length) {
    if (this.#zeros.length < length) this.#zeros = Buffer.alloc(length);
    return this.#cipher.update(this.#zeros.subarray(0, length));
  }
}
