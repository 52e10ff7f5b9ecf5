/** @file deno task explain: which parts of an event drive its class and its mass. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { explain } from "../lib/cli/explain.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { openWeights, WEIGHT_OPTIONS } from "../lib/cli/weight_options.ts";

const usage = {
  task: "explain",
  summary: "draw which pixels of an event drive the class and the mass that a model predicts, and where its attention goes",
  options: {
    "weights=FILE": "weights from deno task finetune, or from PyTorch",
    "data=FILE": "file with images, HDF5 or NumPy, or several",
    "index=LIST": "numbers of the images, such as 3,17",
    "class=C": "class whose score is explained (the predicted one)",
    "out=DIR": "folder for pictures and numbers (reports/explain)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
  required: ["weights", "data", "index"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const { weights, config } = openWeights(args.need("weights"), "explain", args, reporter);
  const options = {
    data: args.need("data"),
    indices: args.list("index")!,
    wanted: args.whole("class", 0),
    out: rooted(args.get("out") ?? "reports/explain"),
    signal,
  };
  using gpu = await openGpu(reporter);
  await explain(gpu, config, weights, options, reporter);
});
