/**
 * @file The work of deno task soak: small runs one after the other, whole ones, and what they leave behind.
 *
 * A round is a run as a user starts it: a file is opened by a Worker, packed, trained on, validated, saved, closed.
 * After each round all of that must be gone again, from the adapter to the last buffer.
 */

import { defaultConfig, type RunConfig } from "../../lib/config/keys.ts";
import { writeSynthetic } from "../../lib/disk/write_synthetic.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { Interrupted } from "../../lib/interrupted.ts";
import { exists } from "../../lib/disk/files.ts";
import { RunFolder } from "../../lib/disk/run_folder.ts";
import { finetune, pretrain } from "../../lib/cli/commands.ts";
import { rooted } from "../../lib/cli/paths.ts";
import type { TrainingSetup } from "../../lib/cli/training.ts";

/** What is held after a round, and how fast it was. */
export interface SoakSample {
  /** Minutes since the beginning. */
  readonly minutes: number;
  /** Steps taken in the round. */
  readonly steps: number;
  readonly stepsPerSecond: number;
  /** Bytes of memory of the process, the adapter's own where that is the CPU. */
  readonly resident: number;
  /** Bytes of JavaScript's own objects. */
  readonly heap: number;
  /** Buffers on the adapter that nobody has destroyed, and their bytes. */
  readonly buffers: number;
  readonly bufferBytes: number;
}

/** What a soak shows. */
export interface SoakResult {
  readonly steps: number;
  /** Growth of the process's memory in bytes an hour, by least squares over the second half of the rounds. */
  readonly slope: number;
  /** Growth over that half, in bytes. */
  readonly growth: number;
  /** Its standard error. */
  readonly growthError: number;
  /** Median speed of the last quarter of the rounds beside that of the first. */
  readonly speedRatio: number;
  /** What is not as it should be; empty if all is. */
  readonly problems: readonly string[];
}

/** Memory may grow by so many bytes: what is kept of many small runs lies between what is given back. */
const MOST_GROWTH = 32 * 2 ** 20;
/** And by so many standard errors: of few rounds it says little, since the garbage collector comes when it likes. */
const DEVIATIONS = 3;
/** The last rounds may be slower by this factor: other programs share the machine. */
const LEAST_SPEED = 0.6;
/** Of fewer, nothing can be said. */
export const LEAST_ROUNDS = 8;

/** Evaluates the rounds of a soak. */
export function evaluateSoak(samples: readonly SoakSample[]): SoakResult {
  const problems: string[] = [];
  if (samples.length < LEAST_ROUNDS) problems.push(`only ${samples.length} rounds of at least ${LEAST_ROUNDS}: soak longer`);
  // pipelines, caches and the heap reach their size in the first half
  const half = samples.slice(samples.length >> 1);
  const { slope, error } = slopeOf(half.map(({ minutes, resident }) => [minutes / 60, resident]));
  const hours = half.length === 0 ? 0 : (half.at(-1)!.minutes - half[0]!.minutes) / 60;
  const growth = slope * hours, growthError = error * hours;
  if (growth - DEVIATIONS * growthError > MOST_GROWTH) {
    const [grown, by] = [growth, growthError].map((bytes) => (bytes / 2 ** 20).toFixed(0));
    problems.push(`memory grew by ${grown} MiB over the second half, with a standard error of ${by}`);
  }
  const [first] = samples;
  const leak = samples.find(({ buffers, bufferBytes }) => buffers !== first!.buffers || bufferBytes !== first!.bufferBytes);
  if (leak) {
    problems.push(`${leak.buffers} buffers (${leak.bufferBytes} bytes) are left on the adapter, ${first!.buffers} at first`);
  }
  const quarter = Math.max(1, samples.length >> 2);
  const speedOf = (part: readonly SoakSample[]) => median(part.map(({ stepsPerSecond }) => stepsPerSecond));
  const speedRatio = speedOf(samples.slice(-quarter)) / speedOf(samples.slice(0, quarter));
  if (speedRatio < LEAST_SPEED) problems.push(`the last rounds ran at ${speedRatio.toFixed(2)} times the speed of the first`);
  return { steps: samples.reduce((sum, { steps }) => sum + steps, 0), slope, growth, growthError, speedRatio, problems };
}

/** How long a soak is: at least so many minutes, and at least so many rounds. */
export interface SoakLength {
  readonly minutes: number;
  readonly rounds: number;
}

/**
 * Runs rounds, finetuning and pretraining in turn.
 *
 * @param report is told of each round
 * @throws {Interrupted} if the signal was aborted
 */
export async function soak(
  gpu: Gpu,
  { minutes, rounds }: SoakLength,
  report: (sample: SoakSample) => void,
  signal: AbortSignal,
): Promise<SoakSample[]> {
  Deno.mkdirSync(rooted(FOLDERS.data), { recursive: true });
  if (!exists(rooted(DATA_FILE))) await writeSynthetic(rooted(DATA_FILE), IMAGES, 11, 0, true, { signal });
  const config = configOfRound();
  const started = performance.now();
  const samples: SoakSample[] = [];
  do {
    const begun = performance.now();
    const steps = await round(gpu, config, samples.length % 2 === 0, signal);
    const now = performance.now();
    collectGarbage();
    const { rss, heapUsed } = Deno.memoryUsage();
    const { buffers, bytes } = gpu.memory;
    samples.push({
      minutes: (now - started) / 60_000,
      steps,
      stepsPerSecond: 1000 * steps / (now - begun),
      resident: rss,
      heap: heapUsed,
      buffers,
      bufferBytes: bytes,
    });
    report(samples.at(-1)!);
    if (signal.aborted) throw new Interrupted("Stopped");
  } while (performance.now() - started < 60_000 * minutes || samples.length < rounds);
  return samples;
}

const IMAGES = 300;
const FOLDERS = { data: "data/soak", cache: "cache/soak", run: "runs/soak" };
const DATA_FILE = `${FOLDERS.data}/jets.h5`;
const QUIET: TrainingSetup["reporter"] = { line: () => {}, progress: () => {}, counting: () => () => {} };

/**
 * Frees what nobody holds any more, so that only what is held is measured: the engine does not know how much of the adapter's
 * memory hangs on a small object, and may leave it for a long time. The task is started with --expose-gc. It is also started with the C
 * library's memory in one piece, and large blocks given back at once (MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD_): else what is free in
 * the pieces of several threads, a hundred megabytes after a hundred runs, counts like what is held.
 */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** One run from its beginning to its end. */
async function round(gpu: Gpu, config: RunConfig, labels: boolean, signal: AbortSignal): Promise<number> {
  const path = rooted(FOLDERS.run);
  if (exists(path)) Deno.removeSync(path, { recursive: true });
  using folder = new RunFolder(path);
  const setup = { config, folder, fresh: false, reporter: QUIET };
  const { step } = labels ? await finetune(gpu, setup, { signal }) : await pretrain(gpu, setup, { signal });
  return step;
}

/** Steps that take milliseconds: what surrounds them is what is soaked. */
function configOfRound(): RunConfig {
  const config = defaultConfig();
  const paths = { unlabelled_path: DATA_FILE, labelled_path: DATA_FILE, cache_dir: FOLDERS.cache };
  Object.assign(config.data, { ...paths, batch_size: 20 });
  Object.assign(config.model, { patch_size: 25, embed_dim: 16, depth: 1, num_heads: 2, lcm_kernel: 3, projection_dim: 16 });
  Object.assign(config.training, { epochs: 3, patience: 3, checkpoint_minutes: 0.01 });
  return config;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Slope of a straight line through points, by least squares, and its standard error. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): { slope: number; error: number } {
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const [sxy, sxx] = points.reduce(([a, b], [x, y]) => [a + (x - mx) * (y - my), b + (x - mx) ** 2], [0, 0]);
  if (points.length < 3 || sxx === 0) return { slope: 0, error: Infinity };
  const slope = sxy / sxx, squares = points.reduce((sum, [x, y]) => sum + (y - my - slope * (x - mx)) ** 2, 0);
  return { slope, error: Math.sqrt(squares / (points.length - 2) / sxx) };
}
