/** @file deno task doctor: what this machine offers, and a remedy for what is missing. */

import { inspectMachine } from "../lib/cli/doctor.ts";
import { runTask } from "../lib/cli/task.ts";

const usage = {
  task: "doctor",
  summary: "check adapter, driver, disk and permissions; exit 1 with a remedy for each problem",
  flags: { adapter: "only say whether WebGPU has an adapter" },
};

await runTask(usage, async ({ args }) => {
  const { facts, problems } = await inspectMachine(args.has("adapter"));
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) console.log(`${name.padEnd(width)}  ${value}`);
  if (problems.length > 0) throw new Error(problems.join(" | "));
  console.log("\nEverything a run needs is there.");
});
