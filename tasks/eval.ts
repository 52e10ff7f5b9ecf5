/** @file deno task eval: models judged on the held-out test split. */

import { evaluate } from "../lib/cli/evaluate.ts";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { overrideWeights, WEIGHT_OPTIONS } from "../lib/cli/weights.ts";
import { readWeights } from "../lib/nn/weights.ts";

const usage = {
  task: "eval",
  summary: "accuracy, ROC-AUC and mass errors on the test split",
  options: {
    "pretrained=FILE": "weights finetuned from a pretrained backbone",
    "scratch=FILE": "weights trained from scratch",
    "data=FILE": "labelled HDF5 file (data.labelled_path)",
    "seed=N": "seed of the split (data.seed)",
    "out=DIR": "folder for metrics.json and predictions.csv (reports)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
};

await runTask(usage, async ({ args }) => {
  const models = ["pretrained", "scratch"].flatMap((name) => {
    const path = args.get(name);
    return path === undefined ? [] : [{ name, ...overrideWeights(readWeights(rooted(path)), args) }];
  });
  if (models.length === 0) throw new UsageError("--pretrained or --scratch is missing. See 'deno task eval --help'");
  const { config } = models[0]!;
  config.data.labelled_path = args.get("data") ?? config.data.labelled_path;
  config.data.seed = args.whole("seed") ?? config.data.seed;
  const reporter = new ConsoleReporter();
  using gpu = await openGpu(reporter);
  await evaluate(gpu, config, models, rooted(args.get("out") ?? "reports"), reporter);
});
