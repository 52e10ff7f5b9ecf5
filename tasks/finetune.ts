/** @file deno task finetune: trains on labelled images, from a pretrained backbone or from scratch. */

import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu, setUp, TRAINING_FLAGS, TRAINING_OPTIONS } from "../lib/cli/training.ts";
import { fitWeights, readWeights } from "../lib/nn/weights.ts";
import type { StateDict } from "../lib/tensor/parameters.ts";
import { readLabelled } from "../lib/train/data.ts";
import { Finetune } from "../lib/train/finetune.ts";
import { train } from "../lib/train/run.ts";

const usage = {
  task: "finetune",
  summary: "train class and mass on labelled images, pretrained or from scratch",
  options: { ...TRAINING_OPTIONS, "pretrained=FILE": "backbone to start from (pretrained_weights)" },
  flags: TRAINING_FLAGS,
  repeated: ["set"],
  required: ["config"],
};

await runTask(usage, async ({ args, signal }) => {
  const { config, folder, reporter } = setUp({ args });
  config.pretrained_weights = args.get("pretrained") ?? config.pretrained_weights;
  using gpu = await openGpu(reporter);
  const path = rooted(config.data.labelled_path);
  const data = await readLabelled(config, path, reporter.counting(`reading ${path}`));
  const { train: training, val, test } = data.split;
  reporter.line(`${path}: ${data.images.count} images: ${training.length} training, ${val.length} validation, ${test.length} test`);
  const start = (): StateDict => {
    const init = args.get("init");
    if (init !== undefined) return fitWeights(readWeights(rooted(init)), config.model, true);
    if (config.pretrained_weights === "") return new Map();
    return fitWeights(readWeights(rooted(config.pretrained_weights)), config.model, false);
  };
  const options = { signal, fresh: args.has("fresh") };
  const state = await train(gpu, config, folder, (weights) => new Finetune(gpu, config, data, weights), start, reporter, options);
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; weights in ${folder.best}`);
});
