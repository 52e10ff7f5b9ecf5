/** @file deno task demo: the whole program in three minutes, on generated data. */

import { finetune, pretrain } from "../lib/cli/commands.ts";
import { ConsoleReporter, duration } from "../lib/cli/console.ts";
import { evaluate } from "../lib/cli/evaluate.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu, prepare, readConfig } from "../lib/cli/training.ts";
import { PUBLISHED_FILES } from "../lib/disk/published.ts";
import { writeSynthetic } from "../lib/disk/write_synthetic.ts";
import { readWeights } from "../lib/disk/weight_files.ts";

const IMAGES = { unlabelled: 800, labelled: 800 };
const SEED = 7;

await runTask(
  { task: "demo", summary: "generate data, pretrain, finetune, train from scratch and compare, in three minutes" },
  async ({ signal }) => {
    const started = performance.now();
    const reporter = new ConsoleReporter();
    using gpu = await openGpu(reporter);
    await generate(reporter, signal);
    const options = { signal };
    using pretraining = prepare(readConfig("configs/demo/pretrain.yaml", []), true);
    reporter.line("\n1. Pretraining without labels (SimCLR): train loss starts near ln(127) = 4.84, the loss of a guess");
    await pretrain(gpu, pretraining, options);
    using finetuning = prepare(readConfig("configs/demo/finetune.yaml", []), true);
    reporter.line("\n2. Finetuning the pretrained backbone on labelled images");
    await finetune(gpu, finetuning, options);
    using scratch = prepare(readConfig("configs/demo/scratch.yaml", []), true);
    reporter.line("\n3. The same model from scratch");
    await finetune(gpu, scratch, options);
    reporter.line("\n4. Both on images that neither has seen");
    const models = [
      { name: "pretrained", members: [readWeights(finetuning.folder.best)] },
      { name: "scratch", members: [readWeights(scratch.folder.best)] },
    ];
    await evaluate(gpu, finetuning.config, models, rooted("reports/demo"), reporter, { ...options, task: "demo" });
    reporter.line(`\nEverything above was computed in this run, in ${duration((performance.now() - started) / 1000)}`);
  },
);

/** Generated files, kept from an earlier demonstration if they are there. */
async function generate(reporter: ConsoleReporter, signal: AbortSignal): Promise<void> {
  const folder = rooted("data/demo");
  Deno.mkdirSync(folder, { recursive: true });
  let first = 0;
  for (const kind of ["unlabelled", "labelled"] as const) {
    const path = `${folder}/${PUBLISHED_FILES[kind].name}`;
    try {
      const options = { progress: reporter.counting(`generating ${path}`), signal };
      await writeSynthetic(path, IMAGES[kind], SEED, first, kind === "labelled", options);
      reporter.line(`${path}: ${IMAGES[kind]} images generated`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      reporter.line(`${path}: kept from an earlier demonstration`);
    }
    first += IMAGES[kind];
  }
}
