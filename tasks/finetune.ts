/** @file deno task finetune: trains on labelled images, from a pretrained backbone or from scratch. */

import { finetune } from "../lib/cli/commands.ts";
import { runTask } from "../lib/cli/task.ts";
import { describeKeys, openGpu, setUp, TRAINING_FLAGS, TRAINING_OPTIONS, trainingOptions } from "../lib/cli/training.ts";

const usage = {
  task: "finetune",
  summary: "train class and mass on labelled images, pretrained or from scratch",
  options: { ...TRAINING_OPTIONS, "pretrained=FILE": "backbone to start from (pretrained_weights)" },
  flags: TRAINING_FLAGS,
  repeated: ["set"],
  required: ["config"],
  details: describeKeys(),
};

await runTask(usage, async ({ args, signal }) => {
  using setup = setUp("finetune", { args });
  setup.config.pretrained_weights = args.get("pretrained") ?? setup.config.pretrained_weights;
  using gpu = await openGpu(setup.reporter);
  await finetune(gpu, setup, trainingOptions({ args, signal }));
});
