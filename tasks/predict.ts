/** @file deno task predict: classes and masses, or other targets, of the images of a file. */

import { dirname } from "node:path";
import { placeOf } from "../lib/cli/commands.ts";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { AVERAGE_OPTION, averagesFlips, openWeights, WEIGHT_OPTIONS } from "../lib/cli/weight_options.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { csvHeader, csvRow, predictImages } from "../lib/eval/predict.ts";
import { makeFolder } from "../lib/disk/atomic.ts";
import { csvLine } from "../lib/io/csv.ts";
import { exists, readAt } from "../lib/disk/files.ts";
import { PendingFile } from "../lib/disk/pending_file.ts";
import { firstNumbers } from "../lib/arrays.ts";
import { openImages } from "../lib/disk/open_data.ts";

/** How a table of predictions begins. */
const FIRST_COLUMN = "index,";

const usage = {
  task: "predict",
  summary: "write class scores and mass, or other targets, of every image of a file",
  options: {
    "weights=FILE": "weights from deno task finetune, or from PyTorch",
    "data=FILE": "file with images, HDF5 or NumPy, or several",
    "out=FILE": "CSV to write, such as reports/predictions.csv",
    ...AVERAGE_OPTION,
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
  required: ["weights", "data", "out"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const flips = averagesFlips(args);
  const { weights, config } = openWeights(args.need("weights"), "predict", args, reporter);
  const out = rooted(args.need("out"));
  using _folder = makeFolder(dirname(out));
  checkReplaceable(out);
  using file = new PendingFile(out);
  using gpu = await openGpu(reporter);
  const place = placeOf(args.need("data"), config);
  using data = await openImages(gpu, config, place, { progress: reporter.counting, notice: (line) => reporter.line(line), signal });
  file.write(csvLine(csvHeader(weights.model.num_classes, weights.targets)));
  const options = { progress: reporter.counting("predicting"), signal, flips };
  const { count } = data.images;
  for await (const prediction of predictImages(gpu, weights, data, firstNumbers(count), config.data.batch_size, options)) {
    file.write(csvLine(csvRow(prediction)));
  }
  file.complete();
  file.place();
  reporter.line(`${count} rows in ${out}`);
});

/** Refuses to replace what is no table of predictions: weights lie in folders that this task may write. */
function checkReplaceable(path: string): void {
  if (!exists(path) || !Deno.statSync(path).isFile) return;
  using file = Deno.openSync(path);
  const start = new Uint8Array(FIRST_COLUMN.length);
  const found = new TextDecoder().decode(start.subarray(0, readAt(file, 0, start)));
  if (!FIRST_COLUMN.startsWith(found)) {
    throw new UsageError(`${path} is there already, and is no table of predictions. Name another file, or remove it first`);
  }
}
