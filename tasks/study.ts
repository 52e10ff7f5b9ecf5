/** @file deno task study: one recipe trained several times, and what the runs say together. */

import { study } from "../lib/cli/study.ts";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";

const usage = {
  task: "study",
  summary: "finetune or train from scratch several times, and report mean and spread of every measure",
  options: {
    "config=FILE": "configuration of all members, such as configs/finetune.yaml",
    "set=KEY=VALUE": "override a key for all members",
    "out=DIR": "folder for the study, with a folder for each member (output.dir)",
    "seeds=N": "train with so many seeds of training, on the same split",
    "splits=N": "train on so many random splits, each with a seed of training of its own",
    "folds=N": "cross-validation: each of N parts is for testing once",
    "max-train=LIST": "numbers of training images, with commas between them: a learning curve",
    "pretrained=LIST": "weights to begin with, with commas between them: all members of each",
    "against=DIR": "compare with another study whose members have the same seeds, splits, parts and numbers of images",
  },
  repeated: ["set", "against"],
  required: ["config"],
};

await runTask(usage, async ({ args, signal }) => {
  const axes = {
    seeds: args.whole("seeds", 1),
    splits: args.whole("splits", 1),
    folds: args.whole("folds", 2),
    trainImages: args.list("max-train"),
    pretrained: args.get("pretrained")?.split(","),
  };
  if (Object.values(axes).every((axis) => axis === undefined)) {
    throw new UsageError(
      "say what the members differ in: --seeds, --splits, --folds, --max-train or --pretrained. See 'deno task study --help'",
    );
  }
  const none = axes.trainImages?.find((images, i, all) => images === 0 || all.indexOf(images) < i);
  if (none !== undefined) throw new UsageError(`--max-train: ${none} is no number of images, or is there twice`);
  const twice = axes.pretrained?.find((path, i, all) => path === "" || all.indexOf(path) < i);
  if (twice !== undefined) throw new UsageError(`--pretrained: ${twice === "" ? "a name is empty" : `${twice} is there twice`}`);
  const out = args.get("out"), overrides = [...args.all("set"), ...(out === undefined ? [] : [`output.dir=${out}`])];
  using gpu = await openGpu(new ConsoleReporter());
  await study(gpu, args.need("config"), overrides, axes, { against: args.all("against"), signal });
});
