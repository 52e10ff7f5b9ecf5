/** @file Fuzzes targets in Workers and gives up on a file that never ends. */

import type { FuzzReport } from "./fuzz.ts";
import type { FuzzAnswer, FuzzOrder } from "./worker.ts";

/** Kinds of files that are fuzzed. */
export const TARGETS = [
  "safetensors",
  "pytorch",
  "pickles",
  "hdf5",
  "numpy",
  "datasets",
  "packed",
  "config",
  "metrics",
  "tuning",
  "resume",
] as const;

/** Files between two signs of life. */
const PORTION = 500;
/** Seconds after which a portion counts as one that never ends. */
const MOST_SECONDS = 60;

/**
 * Reads mutated files of one kind.
 *
 * @param more is asked after each portion whether to go on
 * @throws {Error} at the first file that is not treated as it should be
 */
export async function runFuzz(
  target: string,
  seed: number,
  folder: string,
  more: (report: FuzzReport) => boolean,
): Promise<FuzzReport> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: `fuzz ${target}` });
  const total: FuzzReport = { name: target, files: 0, refused: 0, slowest: 0, largest: 0 };
  try {
    await answerOf(worker);
    do {
      const order: FuzzOrder = { target, seed, first: total.files, last: total.files + PORTION, folder };
      worker.postMessage(order);
      const answer = await answerOf(worker, order) as FuzzAnswer;
      if ("failure" in answer) throw new Error(answer.failure);
      const { files, refused, slowest, largest } = answer.report;
      total.files += files;
      total.refused += refused;
      total.slowest = Math.max(total.slowest, slowest);
      total.largest = Math.max(total.largest, largest);
    } while (more(total));
  } finally {
    worker.terminate();
  }
  return total;
}

function answerOf(worker: Worker, order?: FuzzOrder): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const what = order
        ? `${order.target}: a file of numbers ${order.first} to ${order.last - 1} of seed ${order.seed}`
        : "the Worker";
      reject(new Error(`${what} did not end within ${MOST_SECONDS} s`));
    }, 1000 * MOST_SECONDS);
    const settle = (then: () => void) => {
      clearTimeout(timer);
      then();
    };
    worker.onmessage = ({ data }) => settle(() => resolve(data));
    worker.onerror = (event) => {
      event.preventDefault();
      settle(() => reject(new Error(`${order?.target}: the Worker died: ${event.message}`)));
    };
  });
}
