/** @file deno task probe: what a frozen backbone knows about class and mass. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { evaluationConfig } from "../lib/cli/evaluation_data.ts";
import { probe } from "../lib/cli/probe.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { openWeights, WEIGHT_OPTIONS } from "../lib/cli/weight_options.ts";

const usage = {
  task: "probe",
  summary: "evaluate a pretrained backbone in a minute: nearest neighbours and linear regressions on its features",
  options: {
    "weights=FILE": "weights from deno task pretrain, or any others",
    "data=FILE": "labelled file (the one that the weights were trained on)",
    "neighbours=K": "nearest neighbours that vote (20)",
    "images=N": "images that are used at most, of training and test part together; 0: all (50000)",
    "seed=N": "seed of the split (the one that the weights were trained with)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
  required: ["weights"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const path = args.need("weights");
  const opened = openWeights(path, "probe", args, reporter), { weights } = opened;
  const config = evaluationConfig([{ name: path, ...opened }], args, reporter);
  const images = args.whole("images") ?? 50_000;
  if (images === 1) throw new UsageError("--images must be at least 2, one to learn from and one to test, or 0 for all: it is 1");
  const options = { neighbours: args.whole("neighbours", 1) ?? 20, images, signal };
  using gpu = await openGpu(reporter);
  await probe(gpu, config, weights, options, reporter);
});
