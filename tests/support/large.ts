/**
 * @file Operations at sizes beyond 65,535 workgroups and 2^22 elements, into memory filled with NaN, beside their formulas.
 *
 * Inputs repeat after a prime number of values, so that no two rows are the same and a table of the formula is short.
 */

import { assert } from "@std/assert";
import type { Gpu, GpuOptions } from "../../lib/gpu/device.ts";
import { type Parameter, Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, type StepNumbers, writeStep } from "../../lib/tensor/step.ts";
import type { Launch } from "../../lib/tensor/launch.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, type DType, type PlacedTensor, sizeOf, type Tensor, write } from "../../lib/tensor/tensor.ts";
import { UNFOLDED, withGpu } from "./gpu.ts";
import { randoms } from "./ops.ts";

/** More invocations than 65,535 workgroups of 64 have, and more than 2^22; no multiple of 4, which kernels would take at once. */
export const N = 4_200_001;
/** Values after which inputs repeat. */
export const PERIOD = 65_521;
/** Where in a run random numbers are drawn. */
export const LARGE_STEP: StepNumbers = { seed: 9, step: 2, row: 0, firstRow: 5, learningRates: [0.01] };

/** Entry points that a test is about, as "file.entry". */
export interface Covered {
  /** Those that take more than 65,535 workgroups, and have a tensor of more than 2^22 elements. */
  readonly many?: readonly string[];
  /** Those that have such a tensor, and for a reason do with fewer workgroups. */
  readonly few?: readonly string[];
}

/** A tape that notes how large its launches are. */
class NotingTape extends Tape {
  readonly largest = new Map<string, { workgroups: number; elements: number }>();

  override dispatch(launch: Launch): void {
    const name = `${launch.kernel.name}.${launch.entry}`;
    const { units = 1, cut, bindings, extent } = launch;
    const elements = Math.max(...Object.values({ ...cut, ...bindings }).map(({ storage }) => storage.bytes / 4));
    const { workgroups } = extent({ first: 0, count: units, index: 0 });
    const before = this.largest.get(name);
    if (workgroups > (before?.workgroups ?? 0)) this.largest.set(name, { workgroups, elements });
    super.dispatch(launch);
  }
}

/** One recording and its tensors. */
export class LargeRun {
  readonly gpu: Gpu;
  readonly tape: NotingTape;
  readonly #placed: PlacedTensor[] = [];
  readonly #models: Parameters[] = [];

  constructor(gpu: Gpu, training: boolean) {
    this.gpu = gpu;
    const step = createStep(gpu);
    writeStep(gpu, step, LARGE_STEP);
    this.tape = new NotingTape(gpu, { training, step });
  }

  /** A tensor with these values. */
  placed(label: string, shape: readonly number[], values: Float32Array | Uint32Array, dtype: DType = "f32"): PlacedTensor {
    const tensor = createTensor(this.gpu, label, shape, dtype);
    write(this.gpu, tensor, values);
    this.#placed.push(tensor);
    return tensor;
  }

  /** A tensor of NaN, to be written. */
  output(label: string, shape: readonly number[], dtype: DType = "f32"): PlacedTensor {
    return this.placed(label, shape, new Float32Array(sizeOf(shape)).fill(NaN), dtype);
  }

  /** A tensor that wants a gradient, and its values. */
  input(
    label: string,
    shape: readonly number[],
    seed: number,
    map?: (x: number, i: number) => number,
  ): [PlacedTensor, Float32Array] {
    const values = periodic(sizeOf(shape), seed, map);
    const tensor = this.placed(label, shape, values);
    this.tape.watch(tensor);
    return [tensor, values];
  }

  /** A parameter whose gradient is NaN so far, and its values. */
  parameter(name: string, shape: readonly number[], seed: number): [Parameter, Float32Array, Parameters] {
    const initial = periodic(sizeOf(shape), seed);
    const model = new Parameters(this.gpu, [{ name, shape, initial }]);
    write(this.gpu, model.get(name).gradient, new Float32Array(sizeOf(shape)).fill(NaN));
    this.#models.push(model);
    return [model.get(name), initial, model];
  }

  /** Records the gradients of everything that an output was made from, and gives the values that its own gradient has. */
  backward(y: Tensor, seed: number): Float32Array {
    const dy = periodic(sizeOf(y.shape), seed);
    this.tape.replaceGradient(y, this.placed("dy", y.shape, dy));
    this.tape.backward();
    return dy;
  }

  /** Computes everything, and gives the values of some tensors. */
  async compute<K extends string>(tensors: Readonly<Record<K, Tensor>>): Promise<Record<K, Float32Array>> {
    using plan = this.tape.compile({ poison: true });
    plan.run();
    const found: [string, Float32Array][] = [];
    for (const [name, { storage }] of Object.entries<Tensor>(tensors)) {
      const { buffer, offset } = plan.placeOf(storage);
      found.push([name, new Float32Array(await this.gpu.read(buffer, offset, storage.bytes))]);
    }
    return Object.fromEntries(found) as Record<K, Float32Array>;
  }

  [Symbol.dispose](): void {
    for (const { storage } of this.#placed) storage.place.buffer.destroy();
    for (const model of this.#models) model[Symbol.dispose]();
  }
}

/** Values that repeat after {@linkcode PERIOD} of them. */
export function periodic(n: number, seed: number, map: (x: number, i: number) => number = (x) => x): Float32Array {
  const period = randoms(PERIOD, seed).map(map);
  const values = new Float32Array(n);
  for (let at = 0; at < n; at += PERIOD) values.set(period.subarray(0, n - at), at);
  return values;
}

/** Registers a test on a device with the adapter's own grid. */
export function largeTest(
  name: string,
  { many = [], few = [] }: Covered,
  body: (run: LargeRun) => Promise<void | "of other adapters">,
  { training = true, ...options }: GpuOptions & { readonly training?: boolean } = {},
): void {
  const fn = () =>
    withGpu({ ...UNFOLDED, ...options }, async (gpu) => {
      using run = new LargeRun(gpu, training);
      if (await body(run) === "of other adapters") return;
      for (const entry of [...many, ...few]) {
        const { workgroups, elements } = run.tape.largest.get(entry) ?? { workgroups: 0, elements: 0 };
        assert(elements > 2 ** 22, `${entry} has ${elements} elements`);
        assert(workgroups > 65_535 || few.includes(entry), `${entry} has ${workgroups} workgroups`);
      }
    });
  Deno.test({ name: `${name}, beyond 65,535 workgroups and 2^22 elements`, sanitizeResources: false, fn });
}

/** Checks every element against a formula; the error is beside the element or 1, whichever is larger. */
export function assertEvery(found: Float32Array, expected: (i: number) => number, what: string, tolerance = 1e-5): void {
  for (let i = 0; i < found.length; i++) {
    const value = expected(i);
    // false for NaN
    if (Math.abs(found[i]! - value) <= tolerance * Math.max(1, Math.abs(value))) continue;
    throw new Error(`${what}: element ${i} of ${found.length} is ${found[i]}, expected ${value}`);
  }
}
