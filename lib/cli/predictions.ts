/** @file Predictions that deno task eval has written, read again. */

import type { Target } from "../data/targets.ts";
import { type ImagePrediction, meanPrediction } from "../eval/predict.ts";
import { TestResults } from "../eval/test_results.ts";
import { parseCsv } from "../io/csv.ts";
import { UsageError } from "./task.ts";

/** What is known of an image: class, targets, weight, transverse momentum in GeV. */
type Truth = readonly [label: number, targets: readonly number[], weight: number, pt: number];

/** A model's predictions and what is true. */
export interface Predicted {
  readonly predictions: readonly ImagePrediction[];
  readonly truth: readonly Truth[];
}

/**
 * Reads predictions.csv.
 *
 * @returns a model by its name, in the order of the file
 * @throws {UsageError} if the file is none of deno task eval
 */
export function readPredictions(path: string): Map<string, Predicted> {
  return readTable(path, ({ model }) => model);
}

/**
 * Reads members.csv.
 *
 * @returns the members of each ensemble, by its name
 * @throws {UsageError} if the file is none of deno task eval
 */
export function readMembers(path: string): Map<string, Predicted[]> {
  const members = readTable(path, ({ model, member }) => JSON.stringify([model, member])),
    ensembles = new Map<string, Predicted[]>();
  for (const [key, predicted] of members) {
    const [name] = JSON.parse(key) as [string, string];
    ensembles.set(name, [...ensembles.get(name) ?? [], predicted]);
  }
  return ensembles;
}

/** Predictions by what names their rows, in the order of the file. */
function readTable(
  path: string,
  keyOf: (row: { readonly model: string; readonly member: string }) => string,
): Map<string, Predicted> {
  const [titles = [], ...rows] = readRows(path);
  const column = (title: string) => titles.indexOf(title);
  const missing = ["model", "index", "class", "label"].find((title) => column(title) < 0);
  if (missing !== undefined) throw new UsageError(`${path}: it has no column ${missing}: this is no table of deno task eval`);
  // targets have any names: they are what stands between class and label, and as many after it are true
  const firstTarget = column("class") + 1, count = column("label") - firstTarget, firstTrue = column("label") + 1;
  const targetsFrom = (first: number) => Array.from({ length: count }, (_, t) => first + t);
  const numbered = (prefix: string) => titles.flatMap((title, i) => title.startsWith(prefix) ? [i] : []);
  const [logits, probabilities] = [numbered("logit_"), numbered("prob_")];
  const models = new Map<string, { predictions: ImagePrediction[]; truth: Truth[] }>();
  for (const row of rows) {
    const number = (title: string) => Number(row[column(title)]),
      name = keyOf({ model: row[column("model")]!, member: row[column("member")] ?? "" });
    const valueIn = (i: number, unknown: number) => i < 0 || row[i] === "" ? unknown : Number(row[i]);
    const known = (title: string, unknown: number) => valueIn(titles.indexOf(title, firstTrue + count), unknown);
    const model = models.get(name) ?? { predictions: [], truth: [] };
    models.set(name, model);
    model.predictions.push({
      index: number("index"),
      logits: logits.map((i) => Number(row[i])),
      probabilities: probabilities.map((i) => Number(row[i])),
      class: number("class"),
      targets: targetsFrom(firstTarget).map((i) => Number(row[i])),
    });
    model.truth.push([
      valueIn(column("label"), NaN),
      targetsFrom(firstTrue).map((i) => valueIn(i, NaN)),
      known("weight", 1),
      known("pt", NaN),
    ]);
  }
  return models;
}

function readRows(path: string): string[][] {
  try {
    return parseCsv(Deno.readTextFileSync(path));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path}: ${error.message}. Evaluate again`);
    throw error;
  }
}

/**
 * The predictions as measures and figures take them.
 *
 * @param targets names and units; the mass in GeV by default
 */
export function resultsOf({ predictions, truth }: Predicted, targets?: readonly Target[]): TestResults {
  const results = new TestResults(predictions[0]!.probabilities.length, predictions.length, targets);
  predictions.forEach((prediction, i) => results.add(prediction, ...truth[i]!));
  return results;
}

/** Numbers of the images, as a text that is the same for the same ones. */
export function imagesOf({ predictions }: Predicted): string {
  return predictions.map(({ index }) => index).join();
}

/** Mean predictions of models that were tested on the same images, one after the other for models that were tested on others. */
export function combined(members: readonly Predicted[]): Predicted {
  const parts = [...Map.groupBy(members, imagesOf).values()].map((alike): Predicted => ({
    predictions: alike[0]!.predictions.map((_, i) => meanPrediction(alike.map(({ predictions }) => predictions[i]!))),
    truth: alike[0]!.truth,
  }));
  return { predictions: parts.flatMap(({ predictions }) => predictions), truth: parts.flatMap(({ truth }) => truth) };
}
