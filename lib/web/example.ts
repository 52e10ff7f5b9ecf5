/** @file The page's built-in example: generated jets, and a small model that was trained on others. */

import { PackedImages } from "../data/packed.ts";
import { CHANNELS, Detector, SIZE } from "../data/synth/detector.ts";
import { JetGenerator } from "../data/synth/jets.ts";
import type { Gpu } from "../gpu/device.ts";
import { Interrupted } from "../interrupted.ts";
import type { Reporter } from "../train/trainer.ts";
import { decodeJets, encodeJets, type LabelledJets } from "./shown_jets.ts";
import { type TrainingChoice, trainOnJets } from "./training.ts";

const SEED = 20;

/** Jets to train on, others to show, and the training. */
interface Example {
  readonly trainedOn: number;
  readonly shown: number;
  readonly choice: TrainingChoice;
}
const WHOLE: Example = { trainedOn: 1000, shown: 400, choice: { epochs: 14, seed: 42, width: 48, depth: 2 } };
const QUICK: Example = { trainedOn: 120, shown: 40, choice: { epochs: 1, seed: 42, width: 16, depth: 1 } };

/**
 * Makes the example, the same on one adapter each time.
 *
 * @param quick true for a small one, whose model has hardly learned anything
 * @returns its files
 */
export async function makeExample(
  gpu: Gpu,
  reporter: Reporter,
  signal: AbortSignal,
  quick: boolean,
): Promise<{ example: Uint8Array<ArrayBuffer>; model: Uint8Array<ArrayBuffer> }> {
  const { trainedOn, shown, choice } = quick ? QUICK : WHOLE;
  const training = await generateJets("generated jets", SEED, 0, trainedOn, signal);
  const others = await generateJets("built-in example", SEED, trainedOn, shown, signal);
  return { example: await encodeJets(others), model: await trainOnJets(gpu, training, choice, { reporter, signal }) };
}

/** True for jets of such an example, as far as their number tells. */
export function isExample(jets: Uint8Array, quick: boolean): boolean {
  try {
    return decodeJets("example", jets).images.count === (quick ? QUICK : WHOLE).shown;
  } catch {
    return false;
  }
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
