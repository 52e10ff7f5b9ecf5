/** @file Runs one operation, forward and backward, into NaN-filled memory, beside its float64 reference. */

import type { Gpu } from "../../lib/gpu/device.ts";
import { Random } from "../../lib/random.ts";
import { add } from "../../lib/tensor/ops/add.ts";
import { type Parameter, Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, type PlacedTensor, read, sizeOf, type Tensor, write } from "../../lib/tensor/tensor.ts";
import { assertClose } from "./fixtures.ts";

/** Named arrays in double precision. */
export type Arrays = Record<string, Float64Array>;

/** An operation and its definition. */
export interface OpCase {
  /** Shapes of the inputs that want a gradient. */
  readonly inputs: Record<string, readonly number[]>;
  /** Shapes of the parameters. */
  readonly parameters?: Record<string, readonly number[]>;
  /** Records the operation. */
  readonly record: (tape: Tape, inputs: Record<string, Tensor>, parameters: Record<string, Parameter>) => Tensor;
  /** The formula: all inputs and parameters to the output. */
  readonly reference: (arrays: Arrays) => Float64Array;
  /** Values to use instead of random ones. */
  readonly values?: Record<string, ArrayLike<number>>;
  /** Largest relative error. */
  readonly tolerance?: number;
}

/** Numbers of the normal distribution, as floats hold them. */
export function randoms(n: number, seed: number): Float32Array {
  const random = new Random(seed, 99);
  return Float32Array.from({ length: n }, () => random.normal());
}

/** A placed tensor with these values. */
export function placed(gpu: Gpu, label: string, shape: readonly number[], values: ArrayLike<number>): PlacedTensor {
  const tensor = createTensor(gpu, label, shape);
  write(gpu, tensor, Float32Array.from(values));
  return tensor;
}

/** A placed copy of a tensor of a plan, filled with NaN before the plan writes it. */
export function keep(tape: Tape, x: Tensor): PlacedTensor {
  const copy = placed(tape.gpu, x.storage.label, x.shape, new Float32Array(sizeOf(x.shape)).fill(NaN));
  add(tape, x, undefined, copy);
  return copy;
}

/** Where in a run {@linkcode checkOp} draws random numbers. */
export const OP_STEP = { seed: 5, step: 3 } as const;

/** Checks the output against the formula and every gradient against its finite differences. */
export async function checkOp(gpu: Gpu, op: OpCase): Promise<void> {
  const names = { ...op.inputs, ...op.parameters };
  const values: Record<string, Float32Array> = {};
  Object.entries(names).forEach(([name, shape], i) => {
    values[name] = op.values?.[name] ? Float32Array.from(op.values[name]) : randoms(sizeOf(shape), i + 1);
  });
  const arrays: Arrays = Object.fromEntries(Object.entries(values).map(([name, x]) => [name, Float64Array.from(x)]));

  const step = createStep(gpu);
  writeStep(gpu, step, OP_STEP);
  const tape = new Tape(gpu, { training: true, step });
  const declared = Object.entries(op.parameters ?? {}).map(([name, shape]) => ({ name, shape, initial: values[name]! }));
  const model = new Parameters(gpu, declared);
  write(gpu, model.gradients, new Float32Array(sizeOf(model.gradients.shape)).fill(NaN));
  const inputs = Object.fromEntries(
    Object.entries(op.inputs).map(([name, shape]) => [name, placed(gpu, name, shape, values[name]!)]),
  );
  for (const input of Object.values(inputs)) tape.watch(input);
  const parameters = Object.fromEntries(declared.map(({ name }) => [name, model.get(name)]));
  const y = op.record(tape, inputs, parameters);
  const dy = randoms(sizeOf(y.shape), 77);
  const output = keep(tape, y);
  tape.replaceGradient(y, placed(gpu, "dy", y.shape, dy));
  tape.backward();
  const gradients = Object.entries(inputs).map(([name, input]) => [name, keep(tape, tape.gradient(input)!)] as const);
  tape.compile({ poison: true }).run();
  await gpu.finish();

  const { tolerance = 2e-5 } = op;
  assertClose(await read(gpu, output), op.reference(arrays), "output", tolerance);
  for (const [name, gradient] of gradients) {
    assertClose(await read(gpu, gradient), differences(op, arrays, name, dy), `gradient of ${name}`, tolerance);
  }
  const parameterGradients = await model.gradientState();
  for (const { name } of declared) {
    assertClose(parameterGradients.get(name)!.values, differences(op, arrays, name, dy), `gradient of ${name}`, tolerance);
  }
}

/** d(sum of dy * y) / dx by central differences of the formula. */
function differences({ reference }: OpCase, arrays: Arrays, name: string, dy: Float32Array): Float64Array {
  const loss = (): number => reference(arrays).reduce((sum, y, i) => sum + y * dy[i]!, 0);
  const x = arrays[name]!;
  return x.map((value, i) => {
    const h = 1e-5 * Math.max(1, Math.abs(value));
    x[i] = value + h;
    const above = loss();
    x[i] = value - h;
    const below = loss();
    x[i] = value;
    return (above - below) / (2 * h);
  });
}
