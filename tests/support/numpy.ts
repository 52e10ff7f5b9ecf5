/** @file Writes NumPy's files of arrays, with any header. */

import { openJets } from "../../lib/disk/data_files.ts";
import { jetValues } from "./jets.ts";
import { concat } from "../../lib/arrays.ts";
import { zipOf } from "./zip.ts";

/** A .npy file. */
export function npy(dictionary: string, numbers: Uint8Array, version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(`${dictionary}\n`), length = new Uint8Array(version === 1 ? 2 : 4);
  new DataView(length.buffer)[version === 1 ? "setUint16" : "setUint32"](0, text.length, true);
  return concat([Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), version, 0), length, text, numbers]);
}

/** A header as NumPy writes it; of bytes unless another type is named. */
export function npyHeader(shape: string, descr = "'|u1'", order = "False"): string {
  return `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
}

/** A .npy file of numbers in single precision. */
export function npyOf(shape: readonly number[], values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return npy(npyHeader(`(${shape.join(", ")},)`, "'<f4'"), new Uint8Array(values.buffer));
}

/** The images of a data file as .npy, and all of it as .npz. */
export async function asNumpy(path: string): Promise<{ npy: Uint8Array<ArrayBuffer>; npz: Uint8Array<ArrayBuffer> }> {
  using file = await openJets(path);
  const images = npyOf([file.count, file.size, file.size, file.channels], await jetValues(file));
  const column = (quantity: "labels" | "mass") => npyOf([file.count], new Float32Array(file.readScalars(quantity)));
  return { npy: images, npz: zipOf({ "jet.npy": images, "Y.npy": column("labels"), "m.npy": column("mass") }) };
}
