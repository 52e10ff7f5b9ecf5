/** @file deno task eval: models judged on the held-out test split. */

import { ConsoleReporter, table } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { overrideWeights, WEIGHT_OPTIONS } from "../lib/cli/weights.ts";
import { csvHeader, csvRow, measure, type Metrics, predictImages } from "../lib/eval/evaluate.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { readWeights } from "../lib/nn/weights.ts";
import { readLabelled } from "../lib/train/data.ts";

const DEFAULT_DATA = "data/Dataset_Specific_labelled_full_only_for_2i.h5";

const usage = {
  task: "eval",
  summary: "accuracy, ROC-AUC and mass errors on the test split",
  options: {
    "pretrained=FILE": "weights finetuned from a pretrained backbone",
    "scratch=FILE": "weights trained from scratch",
    "data=FILE": `labelled HDF5 file (${DEFAULT_DATA})`,
    "seed=N": "seed of the split (42)",
    "out=DIR": "folder for metrics.json and predictions.csv (reports)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
};

await runTask(usage, async ({ args }) => {
  const models = ["pretrained", "scratch"].flatMap((name) => {
    const path = args.get(name);
    return path === undefined ? [] : [{ name, ...overrideWeights(readWeights(rooted(path)), args) }];
  });
  if (models.length === 0) throw new UsageError("--pretrained or --scratch is missing. See 'deno task eval --help'");
  const reporter = new ConsoleReporter();
  using gpu = await openGpu(reporter);
  const path = rooted(args.get("data") ?? DEFAULT_DATA);
  const seed = args.whole("seed") ?? 42;
  const { config } = models[0]!;
  config.data.seed = seed;
  const data = await readLabelled(config, path, reporter.counting(`reading ${path}`));
  const test = data.split.test;
  const metrics: Record<string, Metrics> = {};
  const lines: string[][] = [];
  for (const { name, weights } of models) {
    const predictions = await predictImages(gpu, weights, data.images, test, config.data.batch_size, reporter.counting(name));
    metrics[name] = measure(predictions, data.labels, data.mass);
    if (lines.length === 0) lines.push(["model", ...csvHeader(weights.model.num_classes), "label", "mass_true"]);
    for (const p of predictions) lines.push([name, ...csvRow(p), String(data.labels[p.index]), String(data.mass[p.index])]);
  }
  const out = rooted(args.get("out") ?? "reports");
  Deno.mkdirSync(out, { recursive: true });
  writeFileAtomic(`${out}/metrics.json`, JSON.stringify({ data: path, seed, images: test.length, models: metrics }, null, 2) + "\n");
  writeFileAtomic(`${out}/predictions.csv`, lines.map((row) => row.join(",") + "\n").join(""));
  reporter.line(`Test split of ${path}: ${test.length} images\n`);
  reporter.line(table(
    ["", "accuracy", "ROC-AUC", "mass MAE (GeV)", "mass MSE (GeV^2)"],
    Object.entries(metrics).map(([name, m]) => [
      name,
      m.accuracy.toFixed(4),
      m.roc_auc?.toFixed(4) ?? "-",
      m.mass_mae.toFixed(2),
      m.mass_mse.toFixed(1),
    ]),
  ));
  reporter.line(`\n${out}/metrics.json and ${out}/predictions.csv hold the numbers`);
});
