/**
 * @file The numbers that change from step to step, in one small uniform buffer.
 *
 * The layout is that of `struct Step` in kernels/lib/step.wgsl.
 */

import type { Gpu } from "../gpu/device.ts";
import type { PlacedTensor } from "./tensor.ts";

/** What a replay of a plan needs to know about where it is in the run. */
export interface StepNumbers {
  /** Key of all random numbers of the run, a whole number below 2^53. */
  readonly seed: number;
  /** Steps taken before this one: with the seed it determines every random number of the step. */
  readonly step: number;
  /** Row of the result table that this replay writes. */
  readonly row?: number;
  /** First row of an output that this replay writes. */
  readonly firstRow?: number;
  /** Learning rate of each parameter group. */
  readonly learningRates?: readonly number[];
  /** Decay rates of AdamW's two moments. */
  readonly betas?: readonly [number, number];
}

const WORDS = 12;

/** Most groups of parameters with learning rates of their own. */
export const MAX_GROUPS = 4;

/** Makes the buffer for a tape's per-step numbers. */
export function createStep(gpu: Gpu): PlacedTensor {
  const { UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffer = gpu.createBuffer({ size: 4 * WORDS, usage: UNIFORM | COPY_DST | COPY_SRC, label: "step" });
  return { shape: [WORDS], dtype: "u32", storage: { label: "step", bytes: 4 * WORDS, place: { buffer, offset: 0 } } };
}

/** Writes the numbers for the next replay. */
export function writeStep(gpu: Gpu, step: PlacedTensor, numbers: StepNumbers): void {
  const words = new Uint32Array(WORDS);
  const floats = new Float32Array(words.buffer);
  const [beta1, beta2] = numbers.betas ?? [0.9, 0.999];
  words.set([numbers.seed >>> 0, Math.floor(numbers.seed / 2 ** 32), numbers.step, numbers.row ?? 0]);
  floats.set([1 - beta1 ** (numbers.step + 1), 1 - beta2 ** (numbers.step + 1)], 4);
  words[6] = numbers.firstRow ?? 0;
  floats.set(numbers.learningRates ?? [], 8);
  gpu.device.queue.writeBuffer(step.storage.place.buffer, 0, words);
}
