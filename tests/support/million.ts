/**
 * @file Work on a million images in a process of its own, so that its memory can be told: million.ts FOLDER WORK. Prints what the
 * work says, and by how many bytes the process has grown at most.
 */

import { MASS } from "../../lib/data/targets.ts";
import { stratifiedSplit } from "../../lib/data/split.ts";
import { Bootstrap } from "../../lib/eval/bootstrap.ts";
import { csvRow, imagePrediction } from "../../lib/eval/predict.ts";
import { measure } from "../../lib/eval/measures.ts";
import { TestResults } from "../../lib/eval/test_results.ts";
import { Interrupted } from "../../lib/interrupted.ts";
import { csvLine } from "../../lib/io/csv.ts";
import { formatJson } from "../../lib/io/json.ts";
import { PendingFile } from "../../lib/disk/pending_file.ts";

const IMAGES = 1_000_000;
const [folder, work] = Deno.args as [string, keyof typeof WORK];

/** Images whose scores are spread evenly over 0 to 1/2 (class 0) and 1/4 to 3/4 (class 1): the area under the ROC curve is 7/8. */
function spread(): TestResults {
  const results = new TestResults(2, IMAGES);
  for (let i = 0; i < IMAGES; i++) {
    const score = (Math.imul(i, 0x9E3779B1) >>> 0) / 2 ** 33 + (i % 2) / 4;
    results.add({ class: score > 0.5 ? 1 : 0, probabilities: [1 - score, score], targets: [100 + i % 11] }, i % 2, [100 + i % 7]);
  }
  return results;
}

const WORK = {
  split: () => stratifiedSplit(new Float64Array(IMAGES).map((_, i) => i % 2), 42).train.length,
  measures: () => measure(spread()),
  async bootstrap() {
    const abort = new AbortController();
    const progress = (done: number) => done >= 3 && abort.abort();
    try {
      await Bootstrap.draw([spread()], 1, { progress, signal: abort.signal });
    } catch (error) {
      if (error instanceof Interrupted) return "stopped";
      throw error;
    }
    return "not stopped";
  },
  csv() {
    using file = new PendingFile(`${folder}/predictions.csv`);
    const scale = { path: "a.pt", targets: [{ ...MASS, mean: 142.12345678901234, std: 51.1, log: false }] };
    for (let i = 0; i < IMAGES; i++) {
      const prediction = imagePrediction(i, [Math.sin(i), Math.cos(i)], [Math.sin(i / 7)], scale);
      file.write(csvLine(["a model, or two", ...csvRow(prediction)]));
    }
    file.complete();
    file.place();
    return Deno.statSync(file.path).size;
  },
};

const before = Deno.memoryUsage().rss;
const said = await WORK[work]();
console.log(formatJson({ said, grown: mostMemory() - before }));

/** Most memory that this process has had; what it has now, where the system does not tell. */
function mostMemory(): number {
  if (Deno.build.os !== "linux") return Deno.memoryUsage().rss;
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
}
