/** @file Writes generated data sets in the published layout. */

import { Hdf5Writer } from "../hdf5_writer.ts";
import type { Progress } from "../packed.ts";
import { CHANNELS, Detector, SIZE } from "./detector.ts";
import { JetGenerator } from "./jets.ts";

/**
 * Generates a file of jets.
 *
 * @param path must not exist; it is removed again if writing fails
 * @param count number of images
 * @param seed of the data set
 * @param first number of the first jet: files with ranges apart hold different jets
 * @param labelled also writes Y, m and pT
 */
export function writeSynthetic(
  path: string,
  count: number,
  seed: number,
  first: number,
  labelled: boolean,
  progress?: Progress,
): void {
  const shapes = [{ name: "jet", shape: [count, SIZE, SIZE, CHANNELS] }];
  if (labelled) { for (const name of ["Y", "m", "pT"]) shapes.push({ name, shape: [count, 1] }); }
  const generator = new JetGenerator(), detector = new Detector();
  try {
    using writer = new Hdf5Writer(path, shapes);
    const scalars = { Y: new Float32Array(count), m: new Float32Array(count), pT: new Float32Array(count) };
    for (let i = 0; i < count; i++) {
      const jet = generator.generate(seed, first + i);
      writer.write("jet", i, detector.draw(jet.particles, jet.random));
      scalars.Y[i] = jet.label;
      scalars.m[i] = jet.mass;
      scalars.pT[i] = jet.pt;
      if (i % 50 === 49) progress?.(i + 1, count);
    }
    if (labelled) { for (const [name, values] of Object.entries(scalars)) writer.write(name, 0, values); }
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) Deno.removeSync(path);
    throw error;
  }
  progress?.(count, count);
}
