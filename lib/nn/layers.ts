/**
 * @file Declarations of layers: names as in PyTorch, shapes and first values.
 *
 * Weights of linear and convolution layers start from a normal distribution of deviation 0.02, cut at
 * +-2 as PyTorch's trunc_normal_ does; biases start at 0, scales of normalisations at 1.
 */

import { Random, STREAMS } from "../random.ts";
import type { Declaration } from "../tensor/parameters.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** Declares layers, drawing their first values from one seeded sequence. */
export class Declarations {
  /** What has been declared so far. */
  readonly all: Declaration[] = [];
  readonly #random: Random | undefined;

  /**
   * Starts with nothing declared.
   *
   * @param seed of the weights; the same seed gives the same weights on every machine. Left out, there are no first
   * values: for those who want the shapes alone, of whatever size, or load all values
   */
  constructor(seed?: number) {
    this.#random = seed === undefined ? undefined : new Random(seed, STREAMS.weights);
  }

  /** A tensor of the truncated normal distribution. */
  normal(name: string, shape: readonly number[], deviation = 0.02): void {
    const initial = this.#values(shape);
    for (let i = 0; i < initial.length; i++) initial[i] = truncated(this.#random!, deviation);
    this.all.push({ name, shape, initial });
  }

  /** A tensor of one value. */
  constant(name: string, shape: readonly number[], value: number, running = false): void {
    this.all.push({ name, shape, initial: this.#values(shape).fill(value), running });
  }

  #values(shape: readonly number[]): Float32Array {
    return new Float32Array(this.#random ? sizeOf(shape) : 0);
  }

  /** weight (out, ...in), bias (out). */
  linear(name: string, out: number, ...inputs: number[]): void {
    this.normal(`${name}.weight`, [out, ...inputs]);
    this.constant(`${name}.bias`, [out], 0);
  }

  /** Scale and shift of a normalisation. */
  norm(name: string, dim: number): void {
    this.constant(`${name}.weight`, [dim], 1);
    this.constant(`${name}.bias`, [dim], 0);
  }

  /** Scale, shift and running statistics of a batch normalisation. */
  batchNorm(name: string, dim: number): void {
    this.norm(name, dim);
    this.constant(`${name}.running_mean`, [dim], 0, true);
    this.constant(`${name}.running_var`, [dim], 1, true);
  }
}

function truncated(random: Random, deviation: number): number {
  for (;;) {
    const value = deviation * random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}
