/**
 * @file Tensors: a shape over a range of adapter memory.
 *
 * Layout is always row-major and dense, the last axis contiguous. A tensor has no methods: operations are
 * functions that take a {@linkcode Tape} (see tape.ts), and numbers move with `Gpu.read` and `write`.
 */

import type { Gpu } from "../gpu/device.ts";
import type { Place, Storage } from "../gpu/dispatch.ts";

/** What a tensor holds: 32-bit floats, or 32-bit unsigned integers for labels and indices. */
export type DType = "f32" | "u32";

/** A dense row-major array on the adapter. */
export interface Tensor {
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** Type of the elements. */
  readonly dtype: DType;
  /** Where the numbers are. */
  readonly storage: Storage;
  /** The tokens that its rows are, where they are fewer than it has rows; what lies behind them is anything. */
  readonly tokens?: Tokens;
}

/**
 * The active tokens of a batch: those places of its images at which there is something. Only the adapter knows how many they are.
 * Tensors of them have a row for each, one after the other, and room for the most that there may be.
 */
export interface Tokens {
  /** Images in the batch, B. */
  readonly images: number;
  /** Places of an image, N. */
  readonly places: number;
  /** Most tokens of an image. */
  readonly most: number;
  /** Images that are bound at once. The tokens of each such range begin where there is room for all of those before it. */
  readonly atOnce: number;
  /** u32, for each range of images: how many they are, and whose, as kernels/lib/tokens.wgsl reads it. */
  readonly tables: readonly Tensor[];
  /** (B, N) u32: row, in its range, of the token at each place; 2^32 - 1 where there is none. */
  readonly rows: Tensor;
  /** u32, for each row of the square grid of places: row of its first token, in its range, and bits of the columns that are tokens. */
  readonly lines: Tensor;
}

/** A tensor that outlives plans: an input, a parameter, a result. */
export interface PlacedTensor extends Tensor {
  /** Where the numbers are. */
  readonly storage: Storage & { readonly place: Place };
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes that a tensor of this shape takes. */
export function bytesOf(shape: readonly number[]): number {
  return 4 * sizeOf(shape);
}

/** The last axis, and the product of all before it. */
export function rowsAndColumns(shape: readonly number[]): [rows: number, columns: number] {
  const columns = shape.at(-1) ?? 1;
  return [sizeOf(shape) / columns, columns];
}

/** Images, and the tokens of each, or the most that one may have: of (B, N, ...), or of active tokens. */
export function imagesAndTokens({ shape, tokens }: Tensor): [images: number, tokens: number] {
  return tokens ? [tokens.images, tokens.most] : [shape[0]!, shape[1]!];
}

/**
 * The same numbers under another shape.
 *
 * @throws {Error} if the element counts differ
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== sizeOf(x.shape)) {
    throw new Error(`Cannot reshape "${x.storage.label}" from (${x.shape.join(", ")}) to (${shape.join(", ")})`);
  }
  return { ...x, shape };
}

/**
 * Makes a tensor of zeros that lives until its buffer is destroyed.
 *
 * @param gpu device
 * @param label name in messages
 * @param shape sizes of the axes
 * @param dtype element type
 */
export function createTensor(gpu: Gpu, label: string, shape: readonly number[], dtype: DType = "f32"): PlacedTensor {
  const bytes = bytesOf(shape);
  return { shape, dtype, storage: { label, bytes, place: { buffer: gpu.buffer(bytes, label), offset: 0 } } };
}

/**
 * Copies numbers from the host into a tensor.
 *
 * @throws {RangeError} if the number of elements differs from the tensor's
 */
export function write(gpu: Gpu, x: PlacedTensor, values: Float32Array | Uint32Array): void {
  if (values.length !== sizeOf(x.shape)) {
    throw new RangeError(`Cannot write ${values.length} values into "${x.storage.label}" of shape (${x.shape.join(", ")})`);
  }
  const { buffer, offset } = x.storage.place;
  gpu.device.queue.writeBuffer(buffer, offset, values as Float32Array<ArrayBuffer>);
}

/** Copies a tensor's numbers to the host. This waits for all submitted work. */
export async function read(gpu: Gpu, x: PlacedTensor): Promise<Float32Array<ArrayBuffer>> {
  const { buffer, offset } = x.storage.place;
  return new Float32Array(await gpu.read(buffer, offset, x.storage.bytes));
}
