/** @file deno task report: the report of evaluations and studies, made again from their files. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { measuresTable } from "../lib/cli/evaluate.ts";
import { rooted } from "../lib/cli/paths.ts";
import { report } from "../lib/cli/report.ts";
import { runTask } from "../lib/cli/task.ts";
import { describeComparison } from "../lib/report/words.ts";

const usage = {
  task: "report",
  summary: "write report.html from what deno task eval and deno task study have written, without adapter or data",
  positional: ["FOLDER", "[FOLDER ...]"],
  options: { "out=DIR": "folder for the report (reports)" },
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter(), out = rooted(args.get("out") ?? "reports");
  const folders = args.positional.map((folder) => rooted(folder.replace(/\/+$/, "")));
  const summary = await report(folders, out, reporter, signal);
  reporter.line(measuresTable(summary));
  for (const comparison of summary.comparisons) reporter.line(`\n${describeComparison(comparison, summary.targets)}`);
  reporter.line(`\nIn ${out}: report.html (open it in a browser) and its figures as SVG in figures/`);
});
