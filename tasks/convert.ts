/** @file deno task convert: a PyTorch checkpoint as safetensors. */

import { dirname } from "node:path";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { makeFolder, writeFileAtomic } from "../lib/disk/atomic.ts";
import { exists } from "../lib/disk/files.ts";
import { encodeSafetensors } from "../lib/io/safetensors.ts";
import { readTensors } from "../lib/disk/weight_files.ts";
import { weightsOf } from "../lib/weights/weights.ts";
import { describeAssumed } from "../lib/weights/weights_info.ts";

const usage = {
  task: "convert",
  summary: "write the model of a PyTorch checkpoint as safetensors, every number as it is; nothing in the checkpoint is executed",
  options: { "key=NAME": "which model of a checkpoint that holds several" },
  positional: ["IN.pt", "OUT.safetensors"],
};

await runTask(usage, ({ args }) => {
  const [from, to] = args.positional.map(rooted) as [string, string];
  if (!to.endsWith(".safetensors")) throw new UsageError(`${to} must end in .safetensors, since it will hold that format`);
  if (exists(to)) throw new UsageError(`${to} is there already. Name another file, or remove it first`);
  const { tensors, metadata } = readTensors(from, args.get("key"));
  const weights = weightsOf(from, { tensors, metadata });
  using _folder = makeFolder(dirname(to));
  writeFileAtomic(to, encodeSafetensors({ tensors, metadata: { format: "pt", ...metadata } }));
  const also = Object.keys(metadata);
  const reporter = new ConsoleReporter();
  reporter.line(`${to}: ${tensors.size} tensors of ${from}${also.length > 0 ? `, with ${also.join(", ")}` : ""}`);
  const assumed = describeAssumed(weights);
  if (assumed !== undefined) reporter.line(assumed);
});
