/** @file A weight file's numbers as 32-bit floats, all of them finite, and variances not negative: one that is not spoils every prediction, without a word. */

import { type StoredTensor, toFloats } from "../io/safetensors.ts";

/**
 * A stored tensor's values as 32-bit floats.
 *
 * @param name of the tensor, for the message
 * @throws {Error} saying where the first value is that is not finite, or that 32-bit floats do not hold, or a negative
 * variance; or that the tensor holds whole numbers, as quantised weights do, whose scale is elsewhere
 */
export function finiteFloats(name: string, tensor: StoredTensor): Float32Array {
  if (/^([IU]\d|BOOL)/.test(tensor.dtype)) {
    throw new Error(
      `tensor "${name}" holds numbers of type ${tensor.dtype}, and weights are floats. Save those from before they were quantised`,
    );
  }
  const values = toFloats(tensor);
  const negative = name.endsWith(".running_var") ? values.findIndex((value) => value < 0) : -1;
  if (negative >= 0) {
    throw new Error(
      `tensor "${name}" holds ${values[negative]}${
        placeOf(negative, tensor.shape)
      }, and a variance is not negative. Take another checkpoint`,
    );
  }
  // 0 x is 0 for finite numbers alone; a plain sum is ten times as fast as a search
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += 0 * values[i]!;
  if (sum === 0) return values;
  const bad = values.findIndex((x) => !Number.isFinite(x));
  const stored = tensor.dtype === "F64" ? new DataView(tensor.bytes.slice(8 * bad).buffer).getFloat64(0, true) : values[bad]!;
  const why = Number.isFinite(stored)
    ? "more than a 32-bit float holds"
    : "no weight. Its training had diverged: take an earlier checkpoint";
  throw new Error(`tensor "${name}" holds ${stored}${placeOf(bad, tensor.shape)}, which is ${why}`);
}

/** Where an element is, as " at (row, column)". */
function placeOf(element: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = element;
  for (const size of shape.toReversed()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return shape.length === 0 ? "" : ` at (${place.join(", ")})`;
}
