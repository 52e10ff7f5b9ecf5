/** @file deno task mpi: pretrain or finetune with several processes, which mpirun or srun has started. */

import { finetune, pretrain } from "../lib/cli/commands.ts";
import { RANK_OPTIONS, Ranks } from "../lib/cli/ranks.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { setUp, TRAINING_FLAGS, TRAINING_OPTIONS, trainingOptions } from "../lib/cli/training.ts";
import { Gpu } from "../lib/gpu/device.ts";

const TASKS = new Map([["pretrain", pretrain], ["finetune", finetune]]);

const usage = {
  task: "mpi",
  summary: "pretrain or finetune with several processes, one for each GPU, started by mpirun or srun",
  positional: [[...TASKS.keys()].join("|")],
  options: { ...TRAINING_OPTIONS, "pretrained=FILE": "backbone to finetune from (pretrained_weights)", ...RANK_OPTIONS },
  flags: TRAINING_FLAGS,
  repeated: ["set"],
  required: ["config", "ranks"],
  details: "mpirun -n 4 deno task mpi pretrain --config configs/pretrain_simclr.yaml --ranks 4\n\n" +
    "L2VIT_MPI=FILE names the library of MPI that belongs to mpirun or srun; by default it is looked for.",
};

const ranks = new Ranks();

await runTask(usage, async ({ args, signal }) => {
  const [name] = args.positional as [string];
  const train = TASKS.get(name);
  if (!train) throw new UsageError(`"${name}" is none of ${[...TASKS.keys()].join(", ")}. See 'deno task mpi --help'`);
  const exchange = ranks.join({ args, signal });
  using setup = setUp(name as "pretrain" | "finetune", { args }, exchange.rank === 0);
  if (name === "finetune") setup.config.pretrained_weights = args.get("pretrained") ?? setup.config.pretrained_weights;
  using gpu = await Gpu.open();
  await ranks.describe(gpu, setup.reporter.line.bind(setup.reporter));
  await train(gpu, setup, { ...trainingOptions({ args, signal }), exchange });
}, ranks);
