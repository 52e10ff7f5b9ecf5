/**
 * @file NumPy's legacy random numbers: MT19937 seeded as `numpy.random.RandomState(seed)`.
 *
 * Only what scikit-learn's splits need, so that images are divided exactly as for published checkpoints.
 * Matsumoto and Nishimura, "Mersenne Twister" (ACM TOMACS 8, 1998).
 */

import { firstNumbers } from "../arrays.ts";

const N = 624;
const M = 397;

/** The generator behind `numpy.random.RandomState`. */
export class RandomState {
  readonly #state = new Uint32Array(N);
  #at = N;

  /** @param seed whole number from 0 to 2^32 - 1 */
  constructor(seed: number) {
    const s = this.#state;
    s[0] = seed >>> 0;
    for (let i = 1; i < N; i++) s[i] = Math.imul(1812433253, s[i - 1]! ^ (s[i - 1]! >>> 30)) + i;
  }

  /** A word, uniform over 0 ... 2^32 - 1. */
  word(): number {
    if (this.#at === N) this.#twist();
    let y = this.#state[this.#at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A whole number in 0 ... most, drawn as legacy NumPy does: masked words, the too large ones rejected. */
  interval(most: number): number {
    if (most === 0) return 0;
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const value = (this.word() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /** The numbers 0 ... n - 1 in random order (`RandomState.permutation`). */
  permutation(n: number): Uint32Array {
    return this.shuffle(firstNumbers(n));
  }

  /** Puts an array in random order, in place (`RandomState.shuffle`). */
  shuffle<List extends Uint32Array>(values: List): List {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.interval(i), value = values[i]!;
      values[i] = values[j]!;
      values[j] = value;
    }
    return values;
  }

  #twist(): void {
    const s = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % N]! & 0x7fffffff);
      s[i] = s[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}
