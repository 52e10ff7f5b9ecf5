/** @file The matrix products of a training step, one by one. */

import type { Gpu } from "../../lib/gpu/device.ts";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor } from "../../lib/tensor/tensor.ts";
import { bestTime } from "./ceilings.ts";

/** Rate of one product. */
export interface MatmulResult {
  readonly name: string;
  /** M, N and K. */
  readonly sizes: readonly [number, number, number];
  readonly gflops: number;
}

const REPEATS = 4;

/** Measures a square product and those of the full-size model, forward and backward. */
export async function benchMatmul(gpu: Gpu): Promise<MatmulResult[]> {
  const rows = gpu.adapter.software ? 2500 : 80_000;
  const layers = { qkv: [256, 768], proj: [256, 256], fc1: [256, 1024], fc2: [1024, 256] } as const;
  const results = [await one(gpu, "512^3", [512, 512, 512], false, true)];
  for (const [name, [input, output]] of Object.entries(layers)) {
    results.push(await one(gpu, `${name} forward`, [rows, output, input], false, true));
    results.push(await one(gpu, `${name} dx`, [rows, input, output], false, false));
    results.push(await one(gpu, `${name} dW`, [output, input, rows], true, false));
  }
  return results;
}

async function one(gpu: Gpu, name: string, sizes: [number, number, number], aTransposed: boolean, bTransposed: boolean) {
  const [m, n, k] = sizes;
  const [a, b, c] = [m * k, k * n, m * n].map((size) => createTensor(gpu, name, [size])) as [Tensor, Tensor, Tensor];
  const tape = new Tape(gpu, { training: false });
  for (let i = 0; i < REPEATS; i++) matmul(tape, a, b, c, sizes, { aTransposed, bTransposed });
  using plan = tape.compile();
  const gflops = REPEATS * 2 * m * n * k / await bestTime(gpu, plan, 3) / 1e9;
  for (const { storage } of [a, b, c]) storage.place.buffer.destroy();
  return { name, sizes, gflops };
}

type Tensor = ReturnType<typeof createTensor>;
