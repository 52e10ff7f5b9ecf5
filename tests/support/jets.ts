/** @file Images of a data file as one array. */

import type { JetFile } from "../../lib/data/jet_file.ts";

/** Values of images, dense and channels last; of all of them if none are named. */
export async function jetValues(
  file: JetFile,
  images: readonly number[] = Array.from({ length: file.count }, (_, i) => i),
): Promise<Float32Array<ArrayBuffer>> {
  const perImage = file.size ** 2 * file.channels;
  const all = new Float32Array(images.length * perImage);
  let at = 0;
  // each group is overwritten by the next
  for await (const { values } of file.scan(images)) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}
