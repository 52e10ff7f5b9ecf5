/** @file The work of deno task probe: features of a backbone and of an untrained one, and what can be read off them. */

import { trainingSeed } from "../config/seeds.ts";
import type { RunConfig } from "../config/keys.ts";
import type { Split } from "../data/split.ts";
import { ImageMap } from "../eval/image_map.ts";
import { linearProbe, type ProbeData } from "../eval/linear_probe.ts";
import { neighbourProbe } from "../eval/neighbour_probe.ts";
import { Matrix } from "../eval/regression.ts";
import { summarise, type Summary } from "../eval/summary.ts";
import type { Gpu } from "../gpu/device.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../weights/weights.ts";
import { firstNumbers, joined, pick } from "../arrays.ts";
import { seenImages } from "../eval/overlap.ts";
import { describeSeen, missingClasses } from "../report/words.ts";
import { openLabelled, type OpenOptions } from "../disk/open_data.ts";
import { labelledPlace } from "./commands.ts";
import type { ConsoleReporter } from "./console.ts";
import { measuresTable } from "./evaluate.ts";

/** What is used of a file. */
export interface ProbeOptions extends OpenOptions {
  /** How many nearest neighbours vote. */
  readonly neighbours: number;
  /** Most images that are used of the training and test parts together; 0 for all. */
  readonly images: number;
}

/**
 * Probes a backbone, beside one of the same size with random weights, and prints a table.
 *
 * @throws {OutputError} if a feature is not finite
 */
export async function probe(
  gpu: Gpu,
  config: RunConfig,
  weights: Weights,
  { neighbours, images, ...options }: ProbeOptions,
  reporter: ConsoleReporter,
): Promise<Summary> {
  // it learns from one part of these images and is tested on another, even where others are for testing
  const divided = { ...config, data: { ...config.data, test_path: "" } };
  const place = labelledPlace(divided);
  using data = await openLabelled(gpu, divided, place, {
    progress: reporter.counting,
    notice: (line) => reporter.line(line),
    ...options,
  });
  const { train, test } = firstOf(data.split, images);
  const model = new LinearViT(gpu, weights.model, { seed: trainingSeed(config) });
  using _parameters = model.parameters;
  const batch = Math.min(config.data.batch_size, test.length);
  using map = new ImageMap(gpu, model, data, batch, weights, (tape, vit, views) => ({
    features: vit.features(tape, views),
  }));
  const both = joined(train, test);
  const all = firstNumbers(both.length);
  const work = (what: string, unit?: string) => ({ progress: reporter.counting(what, unit), signal: options.signal });
  const resultsOf = async (name: string) => {
    const { features } = await map.run(both, { ...work(name), weights: name });
    // numbers of images are from here on places in the list of those that were looked at
    const known: ProbeData = {
      features: new Matrix(weights.model.embed_dim, features),
      labels: pick(data.labels, both),
      classes: weights.model.num_classes,
      targets: data.targets.map(({ values, ...target }) => ({ ...target, values: pick(values, both) })),
      weights: data.weights && pick(data.weights, both),
      split: { train: all.subarray(0, train.length), test: all.subarray(train.length) },
    };
    const nearest = await neighbourProbe(known, neighbours, work(`neighbours, ${name}`));
    return { neighbours: nearest, linear: await linearProbe(known, work(`linear regressions, ${name}`, "rows")) };
  };
  const untrained = await resultsOf("an untrained backbone");
  model.parameters.load(fitWeights(weights, weights.model, false));
  const trained = await resultsOf(weights.path);
  const voting = Math.min(neighbours, train.length), voters = voting === 1 ? "1 neighbour" : `${voting} neighbours`;
  const summary = await summarise(
    new Map([
      [voters, trained.neighbours],
      ["linear", trained.linear],
      [`${voters}, untrained`, untrained.neighbours],
      ["linear, untrained", untrained.linear],
    ]),
    config.data.seed,
    work("95 % intervals", "resamples"),
  );
  reporter.line(
    `Features of ${train.length} training images of ${place.path}, tested on ${test.length} test images; 95 % intervals by bootstrap`,
  );
  if (train.length < data.split.train.length) {
    reporter.line(
      `The file has ${data.split.train.length} training and ${data.split.test.length} test images, of which the first in the order ` +
        "of the split were taken. More with --images, all with --images 0",
    );
  }
  reporter.line("Untrained: the same model with random weights, what any pretraining has to beat\n");
  const seen = seenImages(weights.trainedOn, data, test);
  const warnings = [...describeSeen(weights.path, seen, test.length), ...missingClasses(trained.linear)];
  for (const warning of warnings) reporter.line(`${warning}\n`);
  reporter.line(measuresTable(summary));
  return summary;
}

/** The first images of training and test, which are in random order, as many of each as is its share of so many; all for 0. */
function firstOf({ train, test }: Pick<Split, "train" | "test">, most: number): Pick<Split, "train" | "test"> {
  const all = train.length + test.length;
  if (most === 0 || most >= all) return { train, test };
  const tested = Math.max(1, Math.floor(most * test.length / all));
  return { train: train.subarray(0, most - tested), test: test.subarray(0, tested) };
}
