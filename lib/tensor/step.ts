/** @file The numbers that change from step to step, in one small uniform buffer: `struct Step` of kernels/lib/step.wgsl. */

import { power } from "../elementary.ts";
import type { Gpu } from "../gpu/device.ts";
import { encode } from "../gpu/dims.ts";
import { layoutOf } from "../gpu/layout.ts";
import { LIBRARIES } from "../gpu/libraries.ts";
import type { PlacedTensor } from "./tensor.ts";

/** Images of a batch that are computed together: by one of several ranks, or one part after the other. */
export interface BatchPart {
  /** Images of the part. */
  readonly images: number;
  /** Images of the whole batch. */
  readonly of: number;
  /** Place of the first in the whole. */
  readonly first: number;
}

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
  /**
   * What part of a batch this replay computes; the whole by default.
   *
   * @internal
   */
  readonly part?: BatchPart;
  /** Learning rate of each parameter group. */
  readonly learningRates?: readonly number[];
  /** Step at which each parameter group begins to learn; 0 if not given. */
  readonly begins?: readonly number[];
  /** Decay rates of AdamW's two moments. */
  readonly betas?: readonly [number, number];
}

const LAYOUT = layoutOf(LIBRARIES["lib/step.wgsl"]!, "Step")!;

/** Most groups of parameters with learning rates of their own. */
export const MAX_GROUPS = 4;

/** Makes the buffer for a tape's per-step numbers. */
export function createStep(gpu: Gpu): PlacedTensor {
  const { UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const { bytes } = LAYOUT;
  const buffer = gpu.createBuffer({ size: bytes, usage: UNIFORM | COPY_DST | COPY_SRC, label: "step" });
  return { shape: [bytes / 4], dtype: "u32", storage: { label: "step", bytes, place: { buffer, offset: 0 } } };
}

/**
 * Writes the numbers for the next replay.
 *
 * @throws {GpuError} if 32 bits do not hold one
 */
export function writeStep(gpu: Gpu, { storage }: PlacedTensor, numbers: StepNumbers): void {
  const { seed, step, row = 0, firstRow = 0, part = { images: 1, of: 1, first: 0 } } = numbers;
  const { learningRates = [], begins = [], betas = [0.9, 0.999] } = numbers;
  const groups = Array.from({ length: MAX_GROUPS }, (_, group) => group);
  const correction = (beta: number) => groups.map((group) => 1 - power(beta, Math.max(0, step + 1 - (begins[group] ?? 0))));
  const values = {
    seed: [seed % 2 ** 32, Math.floor(seed / 2 ** 32)],
    step,
    row,
    first_row: firstRow,
    images: part.images,
    batch_images: part.of,
    first_image: part.first,
    learning_rate: groups.map((group) => learningRates[group] ?? 0),
    correction1: correction(betas[0]),
    correction2: correction(betas[1]),
  };
  gpu.device.queue.writeBuffer(storage.place.buffer, 0, encode(LAYOUT, values, LAYOUT.fields.keys(), "step"));
}
