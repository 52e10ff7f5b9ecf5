/** @file deno task synth: generates a small data set in the published layout. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { DataError } from "../lib/data/errors.ts";
import { PUBLISHED_FILES } from "../lib/disk/published.ts";
import { writeSynthetic } from "../lib/disk/write_synthetic.ts";

const usage = {
  task: "synth",
  summary: "generate jet images of a toy model in the published layout",
  options: {
    "out=DIR": "folder for the files, such as data/synth",
    "unlabelled=N": "images without labels (0)",
    "labelled=M": "images with labels, masses and momenta (0)",
    "seed=S": "seed: the same seed gives the same files everywhere (1)",
  },
  required: ["out"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const out = rooted(args.need("out"));
  const seed = args.whole("seed") ?? 1;
  const counts = { unlabelled: args.whole("unlabelled") ?? 0, labelled: args.whole("labelled") ?? 0 };
  if (counts.unlabelled + counts.labelled === 0) {
    throw new UsageError("--unlabelled or --labelled is missing. See 'deno task synth --help'");
  }
  Deno.mkdirSync(out, { recursive: true });
  let first = 0;
  for (const kind of ["unlabelled", "labelled"] as const) {
    if (counts[kind] === 0) continue;
    const path = `${out}/${PUBLISHED_FILES[kind].name}`;
    try {
      const options = { progress: reporter.counting(`writing ${path}`), signal };
      await writeSynthetic(path, counts[kind], seed, first, kind === "labelled", options);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) {
        throw new DataError(`${path}: this file is there already. Remove it, or use another --out`);
      }
      throw error;
    }
    reporter.line(`${path}: ${counts[kind]} images`);
    first += counts[kind];
  }
});
