/** @file Which file and which split models are evaluated on: what the command line says, or else what their weights say. */

import { KEYS, type RunConfig } from "../config/keys.ts";
import type { TrainedOn } from "../data/provenance.ts";
import type { ConsoleReporter } from "./console.ts";
import { type Arguments, UsageError } from "./task.ts";
import type { OpenedWeights } from "./weight_options.ts";

/** Weights under the name that they have in tables. */
export interface NamedWeights extends OpenedWeights {
  readonly name: string;
}

/**
 * The configuration for reading the data of an evaluation.
 *
 * Data and split are those that the models were trained on, so that the test images are ones that they have not seen.
 *
 * @param models their weights, at least one
 * @throws {UsageError} if the models do not agree, and the command line does not say
 */
export function evaluationConfig(
  models: readonly NamedWeights[],
  args: Pick<Arguments, "get" | "whole" | "all">,
  reporter: Pick<ConsoleReporter, "line">,
): RunConfig {
  const known = models.flatMap(({ name, weights }) => {
    const data = weights.trainedOn.findLast(({ labels }) => labels !== null);
    return data ? [{ name, data }] : [];
  });
  const { config } = models[0]!;
  const isSet = (key: string) => args.all("set").some((pair) => pair.startsWith(`${key}=`));
  const path = args.get("data"), seed = args.whole("seed");
  const refused = seed === undefined ? undefined : KEYS.data.seed.refuses(seed);
  if (refused !== undefined) throw new UsageError(`--seed must be ${refused}: it is ${seed}`);
  const dataGiven = path !== undefined || isSet("data.labelled_path"), seedGiven = seed !== undefined || isSet("data.seed");
  const [first] = known;
  if (first && !dataGiven) {
    agree(known, ({ fingerprint }) => fingerprint, ({ path }) => path, "on the data of", "--data");
    config.data.labelled_path = first.data.path;
    agree(known, ({ testPath }) => testPath, ({ testPath }) => testPath ?? "a part of these", "for tests on", "--data");
    config.data.test_path = first.data.testPath ?? "";
    if (!isSet("data.class_of")) config.data.class_of = first.data.classOf ?? "";
    const named = Object.entries(first.data.keys).filter(([key]) => !isSet(`data.keys.${key}`));
    Object.assign(config.data.keys, Object.fromEntries(named));
  }
  if (first && !seedGiven) {
    agree(known, ({ seed }) => seed, ({ seed }) => String(seed), "with the split of seed", "--seed");
    agree(
      known,
      ({ fold }) => String(fold),
      ({ fold }) => fold ? `part ${fold[0]} of ${fold[1]}` : "no cross-validation",
      "with",
      "--seed",
    );
    config.data.seed = first.data.seed;
    [config.data.fold, config.data.folds] = first.data.fold ?? [0, 0];
  }
  config.data.labelled_path = path ?? config.data.labelled_path;
  config.data.seed = seed ?? config.data.seed;
  const silent = models.filter(({ weights }) => weights.trainedOn.length === 0).map(({ weights }) => weights.path);
  if (silent.length > 0) {
    const split = `the split of seed ${config.data.seed} of ${config.data.labelled_path}`;
    reporter.line(`Assumed, since ${silent.join(", ")} does not say: trained on ${split}`);
  }
  return config;
}

/** @throws {UsageError} naming two models that differ, and the option that decides */
function agree<Value>(
  known: readonly { readonly name: string; readonly data: TrainedOn }[],
  of: (data: TrainedOn) => Value,
  describe: (data: TrainedOn) => string,
  what: string,
  option: string,
): void {
  const [first, ...others] = known;
  const other = others.find(({ data }) => of(data) !== of(first!.data));
  if (!other) return;
  const [a, b] = [first!, other].map(({ name, data }) => `${name} was trained ${what} ${describe(data)}`);
  throw new UsageError(`${a}, and ${b}: say with ${option} which one to test on. Images that a model has seen are then counted`);
}
