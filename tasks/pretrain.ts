/** @file deno task pretrain: trains a backbone on images without labels. */

import { pretrain } from "../lib/cli/commands.ts";
import { runTask } from "../lib/cli/task.ts";
import {
  describeKeys,
  describeMethods,
  openGpu,
  setUp,
  TRAINING_FLAGS,
  TRAINING_OPTIONS,
  trainingOptions,
} from "../lib/cli/training.ts";

const usage = {
  task: "pretrain",
  summary: "train a backbone on unlabelled images",
  options: TRAINING_OPTIONS,
  flags: TRAINING_FLAGS,
  repeated: ["set"],
  required: ["config"],
  details: `${describeMethods()}\n\n${describeKeys()}`,
};

await runTask(usage, async ({ args, signal }) => {
  using setup = setUp("pretrain", { args });
  using gpu = await openGpu(setup.reporter);
  await pretrain(gpu, setup, trainingOptions({ args, signal }));
});
