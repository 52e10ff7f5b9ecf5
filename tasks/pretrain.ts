/** @file deno task pretrain: trains a backbone on images without labels. */

import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu, setUp, TRAINING_FLAGS, TRAINING_OPTIONS } from "../lib/cli/training.ts";
import { fitWeights, readWeights } from "../lib/nn/weights.ts";
import { readUnlabelled } from "../lib/train/data.ts";
import { train } from "../lib/train/run.ts";
import { SimClr } from "../lib/train/simclr.ts";

const usage = {
  task: "pretrain",
  summary: "train a backbone on unlabelled images with SimCLR",
  options: TRAINING_OPTIONS,
  flags: TRAINING_FLAGS,
  repeated: ["set"],
  required: ["config"],
};

await runTask(usage, async ({ args, signal }) => {
  const { config, folder, reporter } = setUp({ args });
  using gpu = await openGpu(reporter);
  const path = rooted(config.data.unlabelled_path);
  const data = await readUnlabelled(config, path, reporter.counting(`reading ${path}`));
  reporter.line(`${path}: ${data.images.count} images, ${data.split.train.length} for training, ${data.split.val.length} for validation`);
  const init = args.get("init");
  const start = () => init === undefined ? new Map() : fitWeights(readWeights(rooted(init)), config.model, true);
  const options = { signal, fresh: args.has("fresh") };
  const state = await train(gpu, config, folder, (weights) => new SimClr(gpu, config, data, weights), start, reporter, options);
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; backbone in ${folder.best}`);
});
