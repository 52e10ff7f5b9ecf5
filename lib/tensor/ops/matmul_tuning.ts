/** @file Measures the variants of a matrix product on an adapter; one that computes wrong numbers is out. */

import { type Gpu, GpuError } from "../../gpu/device.ts";
import type { Plan } from "../../gpu/plan.ts";
import { Random } from "../../random.ts";
import { Tape } from "../tape.ts";
import { createTensor, type PlacedTensor, write } from "../tensor.ts";
import { matmul, type ProductQuestion } from "./matmul.ts";
import { nameOf, type Sizes, type Variant, variantsFor } from "./matmul_variants.ts";

/** Multiplications of a product that is measured, on a software adapter and on a GPU: larger ones are measured in part. */
const MOST = { software: 2 ** 26, gpu: 2 ** 31 };
/** Largest error of a variant, beside the largest value. */
const TOLERANCE = 1e-4;
/** How much faster than the default another variant has to be. */
const GAIN = 0.95;
const REPEATS = 3;

/** What was found about a product. */
export interface Fastest {
  /** Name of the variant to use. */
  readonly name: string;
  /** Its time as a part of that of the default. */
  readonly time: number;
  /** Variants that computed wrong numbers. */
  readonly wrong: readonly string[];
}

/** A product of a few rows and columns in double precision, to compare others with. */
interface Expected {
  readonly rows: ReadonlyMap<number, Float64Array>;
  readonly columns: ReadonlyMap<number, Float64Array>;
  readonly largest: number;
}

/**
 * Tries every variant of a product: first its numbers, then its time.
 *
 * @param variants the default first
 * @param between is called before each variant, and may throw to end it all
 * @throws {GpuError} if even the default is wrong
 */
export async function fastestVariant(
  gpu: Gpu,
  { sizes: whole, layout }: ProductQuestion,
  variants: readonly Variant[] = variantsFor(gpu.adapter, whole, layout),
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<Fastest> {
  const { sizes, batches } = within(whole, layout.batches, gpu.adapter.software ? MOST.software : MOST.gpu);
  const [m, n, k] = sizes;
  const { aTransposed, bTransposed } = layout;
  const a = upload(gpu, "A", [batches, ...(aTransposed ? [k, m] : [m, k])], 1);
  const b = upload(gpu, "B", [batches, ...(bTransposed ? [n, k] : [k, n])], 2);
  const many = batches > 1 && { batches: { images: batches, heads: 1 } };
  const record = (variant: Variant, times: number, poison: boolean) => {
    const tape = new Tape(gpu, { training: false });
    const c = tape.tensor("C", [batches, m, n]);
    for (let i = 0; i < times; i++) {
      matmul(tape, a.tensor, b.tensor, c, sizes, { aTransposed, bTransposed, variant, ...many });
    }
    return { c, plan: tape.compile({ poison }) };
  };
  const expected = expect(a.values, b.values, sizes, aTransposed, bTransposed);
  const wrong: string[] = [];
  const times = new Map<Variant, number>();
  for (const variant of variants) {
    await between();
    const { c, plan: once } = record(variant, 1, true);
    once.run();
    const { buffer, offset } = once.placeOf(c.storage);
    const right = agrees(new Float32Array(await gpu.read(buffer, offset, c.storage.bytes)), expected, sizes);
    once[Symbol.dispose]();
    if (!right) {
      wrong.push(nameOf(variant));
      continue;
    }
    using plan = record(variant, REPEATS, false).plan;
    times.set(variant, await timeOf(gpu, plan));
  }
  for (const { tensor } of [a, b]) tensor.storage.place.buffer.destroy();
  const standard = variants.find((variant) => times.has(variant));
  if (!standard) {
    throw new GpuError(
      `The adapter (${gpu.adapter.name}) computes a matrix product of ${m} x ${n} x ${k} wrongly in every way. Update its driver, ` +
        "or use another adapter",
    );
  }
  const [fastest, time] = [...times].toSorted(([, x], [, y]) => x - y)[0]!;
  const gain = time / times.get(standard)!;
  return gain < GAIN ? { name: nameOf(fastest), time: gain, wrong } : { name: nameOf(standard), time: 1, wrong };
}

/** The product, or the first rows of it, or of the sum, that take no more than so many multiplications. */
function within([m, n, k]: Sizes, batches: number, most: number): { sizes: Sizes; batches: number } {
  const fewer = Math.max(1, Math.min(batches, Math.floor(most / (m * n * k))));
  const share = Math.min(1, most / (fewer * m * n * k));
  const shorter = (length: number) => Math.min(length, Math.max(64, Math.ceil(share * length / 64) * 64));
  return { sizes: m > k ? [shorter(m), n, k] : [m, n, shorter(k)], batches: fewer };
}

/** Random numbers that repeat after a prime number of them, so that no two rows are the same. */
function upload(gpu: Gpu, label: string, shape: readonly number[], seed: number): { tensor: PlacedTensor; values: Float32Array } {
  const random = new Random(seed, 98);
  const period = Float32Array.from({ length: 65_521 }, () => 2 * random.uniform() - 1);
  const tensor = createTensor(gpu, label, shape);
  const values = new Float32Array(tensor.storage.bytes / 4);
  for (let at = 0; at < values.length; at += period.length) values.set(period.subarray(0, values.length - at), at);
  write(gpu, tensor, values);
  return { tensor, values };
}

/** First, middle and last rows and columns of the first product: they cross every tile. */
function expect(a: Float32Array, b: Float32Array, [m, n, k]: Sizes, aTransposed: boolean, bTransposed: boolean): Expected {
  const [aRow, aStep] = aTransposed ? [1, m] : [k, 1];
  const [bColumn, bStep] = bTransposed ? [k, 1] : [1, n];
  const element = (row: number, column: number) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a[row * aRow + i * aStep]! * b[column * bColumn + i * bStep]!;
    return sum;
  };
  const some = (length: number) => new Set([0, length >> 1, length - 1]);
  const rows = new Map([...some(m)].map((row) => [row, Float64Array.from({ length: n }, (_, column) => element(row, column))]));
  const columns = new Map(
    [...some(n)].map((column) => [column, Float64Array.from({ length: m }, (_, row) => element(row, column))]),
  );
  const largest = Math.max(
    ...[...rows.values(), ...columns.values()].map((line) => line.reduce((x, y) => Math.max(x, Math.abs(y)), 0)),
  );
  return { rows, columns, largest };
}

/** True if nothing was left unwritten, and the first product is as expected. */
function agrees(found: Float32Array, { rows, columns, largest }: Expected, [, n]: Sizes): boolean {
  if (!found.every(Number.isFinite)) return false;
  const near = (row: number, column: number, value: number) => Math.abs(found[row * n + column]! - value) <= TOLERANCE * largest;
  return [...rows].every(([row, line]) => line.every((value, column) => near(row, column, value))) &&
    [...columns].every(([column, line]) => line.every((value, row) => near(row, column, value)));
}

/** Best of a few runs in milliseconds; by the adapter's own clock where it has one. */
async function timeOf(gpu: Gpu, plan: Plan): Promise<number> {
  const clock = gpu.device.features.has("timestamp-query");
  let best = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    if (clock) best = Math.min(best, (await plan.profile()).reduce((sum, { milliseconds }) => sum + milliseconds, 0));
    else {
      plan.run();
      await gpu.finish();
      best = Math.min(best, performance.now() - started);
    }
  }
  return best;
}
