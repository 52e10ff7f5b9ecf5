/** @file deno task probe: what a frozen backbone knows about class and mass. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { probe } from "../lib/cli/probe.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { openWeights, WEIGHT_OPTIONS } from "../lib/cli/weights.ts";
import { MASS_SCALE } from "../lib/nn/weights_info.ts";

const usage = {
  task: "probe",
  summary: "judge a pretrained backbone in a minute: nearest neighbours and linear regressions on its features",
  options: {
    "weights=FILE": "weights from deno task pretrain, or any others",
    "data=FILE": "labelled HDF5 file (data.labelled_path)",
    "neighbours=K": "nearest neighbours that vote (20)",
    "seed=N": "seed of the split (data.seed)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
  required: ["weights"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const { weights, config } = openWeights(args.need("weights"), args, reporter, MASS_SCALE);
  config.data.labelled_path = args.get("data") ?? config.data.labelled_path;
  config.data.seed = args.whole("seed") ?? config.data.seed;
  const neighbours = Math.max(1, args.whole("neighbours") ?? 20);
  using gpu = await openGpu(reporter);
  await probe(gpu, config, weights, neighbours, reporter, { signal });
});
