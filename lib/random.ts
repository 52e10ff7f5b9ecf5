/**
 * @file Counted random numbers on the host: Philox 4x32-10, the generator of kernels/lib/philox.wgsl.
 *
 * Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The words depend
 * only on (key, counter), so a run goes on exactly after a restart and gives the same on every machine.
 */

import { cosAndSin, log } from "./elementary.ts";

/** What random numbers are drawn for: each purpose counts in a stream of its own. */
export const STREAMS = { weights: 1, shuffle: 2, synth: 4, bootstrap: 5 } as const;

/**
 * Four 32-bit words for a 128-bit counter under a 64-bit key.
 *
 * @param words is overwritten by them, and returned
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  words: Uint32Array = new Uint32Array(4),
): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xD2511F53, c0), low0 = Math.imul(0xD2511F53, c0);
    const high1 = multiplyHigh(0xCD9E8D57, c2), low1 = Math.imul(0xCD9E8D57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9E3779B9) | 0;
    k1 = (k1 + 0xBB67AE85) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
  return words;
}

/** Upper 32 bits of the 64-bit product of two 32-bit words; no partial sum exceeds 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = a1 * b0 + (Math.imul(a0, b0) >>> 16);
  const middle2 = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (middle2 >>> 16)) | 0;
}

/** A sequence of random numbers that is determined by a seed, a stream and a sequence number. */
export class Random {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  readonly #sequence: number;
  #block = 0;
  readonly #words = new Uint32Array(4);
  #used = 4;
  #spare = 0;
  #hasSpare = false;

  /**
   * Starts the sequence.
   *
   * @param seed whole number below 2^53
   * @param stream purpose, one of {@linkcode STREAMS}
   * @param sequence number within the stream, such as an epoch or an image
   */
  constructor(seed: number, stream: number, sequence = 0) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#stream = stream;
    this.#sequence = sequence;
  }

  /** A word, uniform over 0 ... 2^32 - 1. */
  word(): number {
    if (this.#used === 4) this.#draw();
    return this.#words[this.#used++]!;
  }

  /** The next four words; apart from {@linkcode word}, which is short enough then to become a part of its callers. */
  #draw(): void {
    philox([this.#block++, this.#stream, this.#sequence, 0], this.#key, this.#words);
    this.#used = 0;
  }

  /** A number in [0, 1) with 32 random bits. */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number in 0 ... n - 1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** A number of the standard normal distribution (Box and Muller). */
  normal(): number {
    this.#hasSpare = !this.#hasSpare;
    if (!this.#hasSpare) return this.#spare;
    const radius = Math.sqrt(-2 * log(1 - this.uniform()));
    const [cosine, sine] = cosAndSin(2 * Math.PI * this.uniform());
    this.#spare = radius * sine;
    return radius * cosine;
  }

  /** Puts an array in random order, in place (Fisher and Yates). */
  shuffle<T extends { length: number; [index: number]: number }>(values: T): T {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [values[i], values[j]] = [values[j]!, values[i]!];
    }
    return values;
  }
}
