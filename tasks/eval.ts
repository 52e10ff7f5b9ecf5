/** @file deno task eval: models evaluated on the held-out test split, in a report. */

import { evaluationConfig } from "../lib/cli/evaluation_data.ts";
import { evaluate, REPORT_FORMATS, type ReportFormat } from "../lib/cli/evaluate.ts";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { exists } from "../lib/disk/files.ts";
import { type Arguments, runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { AVERAGE_OPTION, averagesFlips, openWeights, WEIGHT_OPTIONS } from "../lib/cli/weight_options.ts";

const usage = {
  task: "eval",
  summary: "accuracy, ROC-AUC and mass errors on the test split, or on a test file",
  options: {
    "pretrained=FILE": "weights finetuned from a pretrained backbone",
    "scratch=FILE": "weights trained from scratch",
    "model=NAME=FILE": "any other weights, under a name of your own; NAME=FILE,FILE,... the mean of several",
    "data=FILE": "labelled file, or several (those that the models were trained on)",
    "seed=N": "seed of the split (the one that the models were trained with)",
    "out=DIR": "folder for the report (reports)",
    "format=LIST": "what to write: html, json, csv, with commas between them (all three)",
    ...AVERAGE_OPTION,
    ...WEIGHT_OPTIONS,
  },
  flags: { "all": "judge all images of the data, instead of those that the split leaves for testing" },
  repeated: ["set", "model"],
};

await runTask(usage, async ({ args, signal }) => {
  const formats = readFormats(args.get("format")), flips = averagesFlips(args);
  const reporter = new ConsoleReporter();
  const models = namedWeights(args).flatMap(({ name, paths }) => {
    return paths.map((path) => ({ name, ...openWeights(path, "eval", args, reporter) }));
  });
  const config = evaluationConfig(models, args, reporter);
  const candidates = [...Map.groupBy(models, ({ name }) => name)].map(([name, of]) => {
    return { name, members: of.map(({ weights }) => weights) };
  });
  using gpu = await openGpu(reporter);
  await evaluate(gpu, config, candidates, rooted(args.get("out") ?? "reports"), reporter, {
    formats,
    signal,
    flips,
    all: args.has("all"),
  });
});

/** Weights by name: --pretrained, --scratch, and each --model NAME=FILE, or NAME=FILE,FILE,... */
function namedWeights(args: Arguments): { name: string; paths: string[] }[] {
  const named = ["pretrained", "scratch"].flatMap((name) => {
    const path = args.get(name);
    return path === undefined ? [] : [{ name, paths: [path] }];
  });
  for (const pair of args.all("model")) {
    const [, name, path] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (name === undefined || path === undefined) {
      throw new UsageError(`--model ${pair}: expected NAME=FILE, such as mae=runs/a/best.safetensors`);
    }
    if (/\p{Cc}/u.test(name)) throw new UsageError(`--model ${JSON.stringify(pair)}: a name may not hold line breaks or tabs`);
    if (lettersOf(name) === "") {
      throw new UsageError(`--model ${pair}: the name is empty. Expected NAME=FILE, such as mae=runs/a/best.safetensors`);
    }
    // a comma may also be part of a name
    named.push({ name: name.trim().normalize(), paths: exists(rooted(path)) ? [path] : path.split(",") });
  }
  for (const [i, { name }] of named.entries()) {
    const other = named.slice(0, i).find((earlier) => lettersOf(earlier.name) === lettersOf(name));
    if (other?.name === name) throw new UsageError(`two models are called "${name}". Give each a name of its own`);
    if (other) {
      throw new UsageError(`two models are called "${other.name}" and "${name}", which look alike. Give each a name of its own`);
    }
  }
  if (named.length === 0) {
    throw new UsageError("no weights are given: use --pretrained, --scratch or --model. See 'deno task eval --help'");
  }
  return named;
}

/** What a reader tells a name by: without capitals, forms of letters, spaces, and characters that are not seen. */
function lettersOf(name: string): string {
  return name.normalize("NFKC").toLowerCase().replaceAll(/[\s\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "");
}

function readFormats(list: string | undefined): readonly ReportFormat[] {
  if (list === undefined) return REPORT_FORMATS;
  const formats = list.split(",").map((name) => {
    const format = REPORT_FORMATS.find((known) => known === name.trim());
    if (format === undefined) throw new UsageError(`--format ${list}: "${name}" is none of ${REPORT_FORMATS.join(", ")}`);
    return format;
  });
  return [...new Set(formats)];
}
