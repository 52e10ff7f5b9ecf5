/** @file Numbers in foreign memory: a view of a storage by offset, shape and stride, made dense only when it is wanted. */

import { shorten } from "../format.ts";
import { PickleError } from "./pickle_values.ts";
import { type SafetensorsDType, type StoredTensor, toNumbers, widthOf } from "./safetensors.ts";

/** More axes than any tensor has. */
export const MOST_AXES = 64;

/** A storage that tensors look at. */
export interface TensorStorage {
  /** Type of the numbers; undefined where each tensor says it. */
  readonly dtype: SafetensorsDType | undefined;
  /** The numbers. */
  readonly bytes: Uint8Array;
  /** True: the bytes of each number run from the highest to the lowest. */
  readonly bigEndian?: boolean;
}

/** A tensor in a storage that it may share with others. Expanded axes have stride 0. */
export class TensorView {
  /** Type of the elements. */
  readonly dtype: SafetensorsDType;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  readonly #storage: TensorStorage;
  readonly #offset: number;
  readonly #stride: readonly number[];

  /**
   * Looks at a storage.
   *
   * @param offset of the first element, in elements like the strides
   * @throws {PickleError} if an element lies outside
   */
  constructor(storage: TensorStorage, dtype: SafetensorsDType, offset: unknown, shape: unknown, stride: unknown) {
    if (!isCount(offset) || !areCounts(shape) || !areCounts(stride) || shape.length !== stride.length) {
      throw new PickleError("it holds a tensor without offset, shape or stride");
    }
    // the lists may be changed by the pickle afterwards
    [this.dtype, this.shape, this.#storage, this.#offset, this.#stride] = [dtype, [...shape], storage, offset, [...stride]];
    const elements = Math.floor(storage.bytes.length / widthOf(dtype));
    const last = shape.reduce((sum, n, axis) => sum + (n - 1) * stride[axis]!, offset);
    if (this.size > 0 && last >= elements) {
      throw new PickleError(`a tensor of shape (${shorten(shape.join(", "))}) does not fit its storage of ${elements} numbers`);
    }
  }

  /** A tensor that is dense already. */
  static of({ dtype, shape, bytes }: StoredTensor): TensorView {
    return new TensorView({ dtype, bytes }, dtype, 0, shape, denseStride(shape));
  }

  /** Number of elements. */
  get size(): number {
    return this.shape.includes(0) ? 0 : this.shape.reduce((product, n) => product * n, 1);
  }

  /** Bytes of the elements; more than those of the storage if some of them are the same. */
  get byteLength(): number {
    return this.size * widthOf(this.dtype);
  }

  /** The elements row-major and little-endian; a view of the storage where they lie so. */
  dense(): StoredTensor {
    const { dtype, shape, byteLength } = this;
    const width = widthOf(dtype), { bytes, bigEndian } = this.#storage;
    const first = this.#offset * width;
    if (!bigEndian && this.#isDense()) return { dtype, shape, bytes: bytes.subarray(first, first + byteLength) };
    const dense = new Uint8Array(byteLength);
    let at = 0;
    for (const element of this.#elements()) {
      for (let b = 0; b < width; b++) dense[at + b] = bytes[element * width + (bigEndian ? width - 1 - b : b)]!;
      at += width;
    }
    return { dtype, shape, bytes: dense };
  }

  /**
   * The elements as numbers.
   *
   * @throws {SafetensorsError} if nothing is computed with numbers of their type
   */
  numbers(): number[] {
    return Array.from(toNumbers(this.dense()));
  }

  #isDense(): boolean {
    const dense = denseStride(this.shape);
    return this.shape.every((size, axis) => size === 1 || this.#stride[axis] === dense[axis]);
  }

  /** Where each element lies in the storage, row-major. */
  *#elements(): Generator<number> {
    const { shape, size } = this, stride = this.#stride;
    const index = new Array<number>(shape.length).fill(0);
    let from = this.#offset;
    for (let i = 0; i < size; i++) {
      yield from;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += stride[axis]!;
        if (++index[axis]! < shape[axis]!) break;
        from -= index[axis]! * stride[axis]!;
        index[axis] = 0;
      }
    }
  }
}

/** Steps of a row-major tensor, in elements. */
export function denseStride(shape: readonly number[]): number[] {
  const stride: number[] = [];
  let step = 1;
  for (const size of shape.toReversed()) {
    stride.unshift(step);
    step *= size;
  }
  return stride;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MOST_AXES && value.every(isCount);
}
