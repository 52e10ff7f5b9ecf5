/** @file Writes generated data sets in the published layout. */

import { Interrupted, type WorkOptions } from "../interrupted.ts";
import { exists, removeIfPossible } from "./files.ts";
import { tryLock } from "./lock.ts";
import { explaining } from "./system_error.ts";
import { DataError } from "../data/errors.ts";
import { Hdf5Writer } from "./hdf5_writer.ts";
import { CHANNELS, Detector, SIZE } from "../data/synth/detector.ts";
import { JetGenerator } from "../data/synth/jets.ts";

/**
 * Generates a file of jets. It is written beside its place and renamed, so it is complete or absent.
 *
 * @param path must not exist
 * @param count number of images
 * @param seed of the data set
 * @param first number of the first jet: files with ranges apart hold different jets
 * @param labelled also writes Y, m and pT
 * @throws {Deno.errors.AlreadyExists} if the file is there already
 * @throws {DataError} if another process is writing it
 * @throws {FileError} if it cannot be written
 * @throws {Interrupted} if the signal was aborted
 */
export async function writeSynthetic(
  path: string,
  count: number,
  seed: number,
  first: number,
  labelled: boolean,
  { progress, signal }: WorkOptions = {},
): Promise<void> {
  if (exists(path)) throw new Deno.errors.AlreadyExists(path);
  const partial = `${path}.partial`;
  using lock = tryLock(`${partial}.lock`);
  if (!lock) throw new DataError(`${path}: another task is writing this file. Wait until it ends`);
  removeIfPossible(partial);
  const shapes = [{ name: "jet", shape: [count, SIZE, SIZE, CHANNELS] }];
  if (labelled) { for (const name of ["Y", "m", "pT"]) shapes.push({ name, shape: [count, 1] }); }
  const generator = new JetGenerator(), detector = new Detector();
  try {
    using writer = new Hdf5Writer(partial, shapes);
    const scalars = { Y: new Float32Array(count), m: new Float32Array(count), pT: new Float32Array(count) };
    for (let i = 0; i < count; i++) {
      const jet = generator.generate(seed, first + i);
      writer.write("jet", i, detector.draw(jet.particles, jet.random));
      scalars.Y[i] = jet.label;
      scalars.m[i] = jet.mass;
      scalars.pT[i] = jet.pt;
      if (i % 50 !== 49) continue;
      progress?.(i + 1, count);
      // lets a signal in
      await new Promise((resolve) => setTimeout(resolve));
      if (signal?.aborted) throw new Interrupted(`Stopped while writing ${path}, which is not kept`);
    }
    if (labelled) { for (const [name, values] of Object.entries(scalars)) writer.write(name, 0, values); }
  } catch (error) {
    removeIfPossible(partial);
    throw error;
  }
  explaining(path, "written", () => Deno.renameSync(partial, path));
  progress?.(count, count);
}
