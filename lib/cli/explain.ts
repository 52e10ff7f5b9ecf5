/** @file The work of deno task explain: what drives a model's predictions for single events, drawn and in numbers. */

import type { RunConfig } from "../config/keys.ts";
import { DataError } from "../data/errors.ts";
import type { ImageSize } from "../data/packed.ts";
import { digitsOf, inUnit, predictedValue, type Target } from "../data/targets.ts";
import { channelName } from "../data/statistics.ts";
import { Explainer, type Explanation } from "../eval/attribution.ts";
import { type Digits, formatReal } from "../format.ts";
import type { Gpu } from "../gpu/device.ts";
import { makeOutputFolder, writeFileAtomic } from "../disk/atomic.ts";
import { csvLine } from "../io/csv.ts";
import type { Weights } from "../weights/weights.ts";
import { explanationFigure } from "../report/explanation_figure.ts";
import { figureDocument } from "../report/svg.ts";
import { type OpenedImages, openImages, type OpenOptions } from "../disk/open_data.ts";
import { placeOf } from "./commands.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { UsageError } from "./task.ts";

/** What is explained. */
export interface ExplainOptions extends OpenOptions {
  /** File with images, as given on the command line. */
  readonly data: string;
  /** Numbers of the images. */
  readonly indices: readonly number[];
  /** Class to explain; each image's predicted one if undefined. */
  readonly wanted: number | undefined;
  /** Folder for the files. */
  readonly out: string;
}

/**
 * Explains images of a file: prints a table for each, and writes a picture and its numbers.
 *
 * @throws {DataError} if there is no such image
 * @throws {UsageError} if there is no such class
 */
export async function explain(
  gpu: Gpu,
  config: RunConfig,
  weights: Weights,
  { data, indices, wanted, out, ...options }: ExplainOptions,
  reporter: ConsoleReporter,
): Promise<void> {
  const classes = weights.model.num_classes;
  if (wanted !== undefined && wanted >= classes) {
    throw new UsageError(`There is no class ${wanted}: the model knows ${classes}, from 0 to ${classes - 1}. Change --class`);
  }
  using _folder = makeOutputFolder(out);
  const place = placeOf(data, config);
  using file = await openImages(gpu, config, place, {
    progress: reporter.counting,
    notice: (line) => reporter.line(line),
    check: ({ count }) => {
      const bad = indices.find((index) => index >= count);
      if (bad === undefined) return;
      throw new DataError(`${place.path}: there is no image ${bad}: the last is ${count - 1}. Change --index`);
    },
    ...options,
  }, true);
  const { images } = file, { targets } = weights;
  const headings = targets.flatMap((target) => [inUnit(`to ${target.name}`, target), "share"]);
  using explainer = new Explainer(gpu, weights, file);
  const stem = place.path.split("/").at(-1)!.replace(/\.[^.]*$/, "");
  for (const index of indices) {
    const explanation = await explainer.explain(index, wanted);
    const title = describePrediction(explanation, file, targets);
    reporter.line(title);
    reporter.line(table(["channel", "to class", "share", ...headings], channelRows(explanation, images.channels, targets)));
    const path = `${out}/${stem}-${index}`;
    const figure = explanationFigure(`explained-${index}`, title, explanation, images, weights);
    writeFileAtomic(`${path}.svg`, figureDocument(figure));
    writeFileAtomic(`${path}.csv`, contributionsCsv(explanation, images, targets));
    reporter.line(`A picture in ${path}.svg, every contribution in ${path}.csv\n`);
  }
}

function describePrediction(
  { prediction, explained }: Explanation,
  known: Pick<OpenedImages, "labels" | "targets">,
  targets: readonly Target[],
): string {
  const { index, class: chosen, probabilities } = prediction;
  const trueClass = known.labels && ` (true: ${known.labels[index]})`;
  const values = targets.map((target, t) => predictedValue(target, prediction.targets[t]!, known.targets?.[t]?.[index]));
  const why = explained === chosen ? "" : `; explained: class ${explained}, probability ${probabilities[explained]!.toFixed(3)}`;
  return `Image ${index}: class ${chosen}${trueClass ?? ""} with probability ${probabilities[chosen]!.toFixed(3)}, ` +
    `${values.join(", ")}${why}`;
}

/** Sum of each channel's contributions, and its share of the sum of their sizes. */
function channelRows({ toClass, toTargets }: Explanation, channels: number, targets: readonly Target[]): string[][] {
  const ofTargets = toTargets.map((values, t) => ({ values, digits: digitsOf(targets[t]!, 1) }));
  const columns = [{ values: toClass, digits: 3 as Digits }, ...ofTargets].map(({ values, digits }) => {
    const sums = new Float64Array(channels), sizes = new Float64Array(channels);
    values.forEach((value, i) => {
      sums[i % channels]! += value;
      sizes[i % channels]! += Math.abs(value);
    });
    const all = sizes.reduce((a, b) => a + b, 0);
    return { sums, digits, shares: sizes.map((size) => all > 0 ? size / all : 0) };
  });
  return Array.from({ length: channels }, (_, c) => [
    channelName(c, channels),
    ...columns.flatMap(({ sums, digits, shares }) => [formatReal(sums[c]!, digits), `${(100 * shares[c]!).toFixed(1)} %`]),
  ]);
}

/** A row for each value of the image that is not zero. */
function contributionsCsv(
  { values, toClass, toTargets, explained }: Explanation,
  { size, channels }: ImageSize,
  targets: readonly Target[],
): string {
  const titles = targets.map(({ name, unit }) => `to_${name}${unit === "" ? "" : `_${unit.toLowerCase()}`}`);
  const lines = [csvLine(["row", "column", "channel", "value", `to_class_${explained}`, ...titles])];
  values.forEach((value, i) => {
    if (value === 0) return;
    const pixel = Math.floor(i / channels);
    lines.push(
      csvLine([Math.floor(pixel / size), pixel % size, i % channels, value, toClass[i]!, ...toTargets.map((of) => of[i]!)]),
    );
  });
  return lines.join("");
}
