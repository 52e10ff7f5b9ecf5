/** @file deno task fuzz: reads mutated files of every kind for as long as is asked. */

import { ConsoleReporter, table } from "../lib/cli/console.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { rooted } from "../lib/cli/paths.ts";
import { Interrupted } from "../lib/interrupted.ts";
import { runFuzz, TARGETS } from "../tests/fuzz/run.ts";

const usage = {
  task: "fuzz",
  summary: "read mutated files of every kind that users are given by others, and stop at the first that is treated wrongly",
  options: {
    "minutes=N": "how long, shared among the kinds (7)",
    "seed=S": "other files for another seed (the time of day)",
    "only=KIND": `one of ${TARGETS.join(", ")}`,
  },
};

await runTask(usage, async ({ args, signal }) => {
  const only = args.get("only");
  if (only !== undefined && !TARGETS.some((target) => target === only)) {
    throw new UsageError(`--only ${only}: there is no such kind. Use one of ${TARGETS.join(", ")}`);
  }
  const chosen = only === undefined ? TARGETS : [only];
  const seconds = 60 * (args.whole("minutes", 1) ?? 7) / chosen.length;
  const seed = args.whole("seed") ?? Date.now();
  const folder = rooted("cache/fuzz");
  Deno.mkdirSync(folder, { recursive: true });
  const reporter = new ConsoleReporter();
  reporter.line(`Seed ${seed}; a file that is treated wrongly is kept in ${folder}`);
  const rows: string[][] = [];
  for (const target of chosen) {
    const end = performance.now() + 1000 * seconds;
    reporter.line(`${target}: ${seconds.toFixed(0)} s`);
    const { files, refused, slowest, largest } = await runFuzz(target, seed, folder, () => {
      if (signal.aborted) throw new Interrupted("Stopped");
      return performance.now() < end;
    });
    rows.push([
      target,
      files.toLocaleString("en"),
      refused.toLocaleString("en"),
      slowest.toFixed(0),
      (largest / 2 ** 20).toFixed(1),
    ]);
  }
  reporter.line(table(["kind", "files", "refused", "slowest (ms)", "most memory (MiB)"], rows));
});
