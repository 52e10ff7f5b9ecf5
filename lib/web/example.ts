/** @file The page's built-in example: generated jets, and a small model that was trained on others. */

import { PackedImages } from "../data/packed.ts";
import { CHANNELS, Detector, SIZE } from "../data/synth/detector.ts";
import { JetGenerator } from "../data/synth/jets.ts";
import type { Gpu } from "../gpu/device.ts";
import { Interrupted } from "../interrupted.ts";
import type { Reporter } from "../train/trainer.ts";
import { encodeJets, type LabelledJets } from "./shown_jets.ts";
import { trainOnJets } from "./training.ts";

/** Jets to train on, and others to show. */
const TRAINED_ON = 1000, SHOWN = 400;
const SEED = 20;
const CHOICE = { epochs: 14, seed: 42, width: 48, depth: 2 };

/**
 * Makes the example, the same on one adapter each time.
 *
 * @returns its files
 */
export async function makeExample(
  gpu: Gpu,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ example: Uint8Array<ArrayBuffer>; model: Uint8Array<ArrayBuffer> }> {
  const training = await generateJets("generated jets", SEED, 0, TRAINED_ON, signal);
  const shown = await generateJets("built-in example", SEED, TRAINED_ON, SHOWN, signal);
  return { example: await encodeJets(shown), model: await trainOnJets(gpu, training, CHOICE, { reporter, signal }) };
}

/**
 * Generates jets in memory, see lib/data/synth.
 *
 * @param first number of the first jet
 */
export async function generateJets(
  name: string,
  seed: number,
  first: number,
  count: number,
  signal?: AbortSignal,
): Promise<LabelledJets> {
  const generator = new JetGenerator(), detector = new Detector(), perImage = SIZE * SIZE * CHANNELS;
  const pixels = new Float32Array(count * perImage), labels = new Float64Array(count), mass = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const jet = generator.generate(seed, first + i);
    pixels.set(detector.draw(jet.particles, jet.random), i * perImage);
    labels[i] = jet.label;
    // as files hold it
    mass[i] = Math.fround(jet.mass);
    if (i % 50 !== 49) continue;
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new Interrupted("Stopped while generating jets");
  }
  return { name, images: PackedImages.fromDense(pixels, { channels: CHANNELS, size: SIZE }), labels, mass, remarks: [] };
}
