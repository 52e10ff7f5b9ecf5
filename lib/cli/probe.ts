/** @file The work of deno task probe: features of a backbone and of an untrained one, and what can be read off them. */

import type { RunConfig } from "../config/keys.ts";
import { ImageMap } from "../eval/predictor.ts";
import { linearProbe, neighbourProbe } from "../eval/probe.ts";
import { summarise, type Summary } from "../eval/summary.ts";
import type { Gpu } from "../gpu/device.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../nn/weights.ts";
import { openLabelled, type OpenOptions } from "../train/data.ts";
import { placeOf } from "./commands.ts";
import type { ConsoleReporter } from "./console.ts";
import { measuresTable } from "./evaluate.ts";

/**
 * Probes a backbone, beside one of the same size with random weights, and prints a table.
 *
 * @param neighbours how many nearest neighbours vote
 */
export async function probe(
  gpu: Gpu,
  config: RunConfig,
  weights: Weights,
  neighbours: number,
  reporter: ConsoleReporter,
  options: OpenOptions,
): Promise<Summary> {
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting, ...options });
  const { train, test } = data.split;
  const model = new LinearViT(gpu, weights.model, { seed: config.data.seed });
  using _parameters = model.parameters;
  const batch = Math.min(config.data.batch_size, test.length);
  using map = new ImageMap(gpu, model, data, batch, weights.normScale, (tape, vit, images) => ({
    features: vit.features(tape, images),
  }));
  const images = Uint32Array.of(...train, ...test);
  const judge = async (name: string) => {
    const { features: flat } = await map.run(images, { progress: reporter.counting(name), signal: options.signal });
    const dim = weights.model.embed_dim;
    const features = Array.from(images, (_, i) => Float64Array.from(flat.subarray(i * dim, (i + 1) * dim)));
    const take = (from: ArrayLike<number>) => Float64Array.from(images, (image) => from[image]!);
    // numbers of images are from here on places in the list of those that were looked at
    const split = { train: Uint32Array.from(train.keys()), test: Uint32Array.from(test, (_, i) => train.length + i) };
    const known = { features, labels: take(data.labels), classes: weights.model.num_classes, mass: take(data.mass), split };
    return { neighbours: neighbourProbe(known, neighbours), linear: linearProbe(known) };
  };
  const untrained = await judge("an untrained backbone");
  model.parameters.load(fitWeights(weights, weights.model, false));
  const trained = await judge(weights.path);
  const summary = summarise(
    new Map([
      [`${neighbours} neighbours`, trained.neighbours],
      ["linear", trained.linear],
      [`${neighbours} neighbours, untrained`, untrained.neighbours],
      ["linear, untrained", untrained.linear],
    ]),
    config.data.seed,
  );
  reporter.line(
    `Features of ${train.length} training images of ${place.path}, judged on ${test.length} test images; 95 % intervals by bootstrap`,
  );
  reporter.line("Untrained: the same model with random weights, what any pretraining has to beat\n");
  reporter.line(measuresTable(summary.models));
  return summary;
}
