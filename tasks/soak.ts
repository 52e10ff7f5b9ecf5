/** @file deno task soak: trains for a long time and shows that memory and speed stay as they are. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { evaluateSoak, LEAST_ROUNDS, soak, type SoakSample } from "../tests/soak/soak.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";

const usage = {
  task: "soak",
  summary: "train small runs one after the other; exit 1 if memory grows, buffers are left over or the speed falls",
  options: { "minutes=N": "how long (10)", "rounds=N": `how many runs, in place of a time; at least ${LEAST_ROUNDS}` },
  flags: { json: "print one JSON object" },
};
const MIB = 2 ** 20;
/** Minutes between two lines. */
const QUIET = 0.5;

await runTask(usage, async ({ args, signal }) => {
  const json = args.has("json");
  const reporter = new ConsoleReporter();
  const say = (text: string) => json || reporter.line(text);
  using gpu = await openGpu({ line: say });
  let next = 0;
  const report = (sample: SoakSample) => {
    if (sample.minutes < next) return;
    next = sample.minutes + QUIET;
    const { minutes, stepsPerSecond, resident, heap, buffers, bufferBytes } = sample;
    say(
      `${minutes.toFixed(1).padStart(6)} min  ${stepsPerSecond.toFixed(0)} steps/s  memory ${(resident / MIB).toFixed(0)} MiB, ` +
        `heap ${(heap / MIB).toFixed(0)} MiB, on the adapter ${buffers} buffers, ${(bufferBytes / MIB).toFixed(1)} MiB`,
    );
  };
  const rounds = args.whole("rounds", LEAST_ROUNDS), minutes = args.whole("minutes", 1) ?? (rounds ? 0 : 10);
  const samples = await soak(gpu, { minutes, rounds: rounds ?? LEAST_ROUNDS }, report, signal);
  const { steps, slope, growth, growthError, speedRatio, problems } = evaluateSoak(samples);
  say(
    `\n${samples.length} runs, ${steps.toLocaleString("en")} steps. Memory over the second half: ${signed(growth / MIB)} MiB ` +
      `(standard error ${(growthError / MIB).toFixed(1)}; ${signed(slope / MIB)} MiB an hour). ` +
      `Speed at the end: ${speedRatio.toFixed(2)} of that at the beginning. Buffers left: ${samples.at(-1)!.buffers}`,
  );
  if (json) console.log(JSON.stringify({ steps, slope, growth, growthError, speedRatio, problems, samples }));
  if (problems.length > 0) throw new Error(problems.join("; "));
});

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(1)}`;
}
