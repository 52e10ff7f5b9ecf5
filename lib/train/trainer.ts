/**
 * @file The loop that pretraining and finetuning share: epochs, schedule, validation, early stopping, files.
 *
 * Steps are submitted without waiting; their results wait in a table on the adapter and are collected once a
 * window (see pacer.ts). Everything that decides how a run goes on is in {@linkcode RunState}, so a run that
 * was stopped anywhere continues as if it had not been.
 */

import type { RunConfig } from "../config/keys.ts";
import { trainingSeed } from "../config/seeds.ts";
import type { TestResults } from "../eval/test_results.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import { sha256 } from "../data/fingerprint.ts";
import { digitsOf, withUnit } from "../data/targets.ts";
import { formatReal, formatSpeed } from "../format.ts";
import type { EventPicture } from "../io/tensorboard.ts";
import { Interrupted } from "../interrupted.ts";
import { batchesOf } from "../input/batches.ts";
import { Random, STREAMS } from "../random.ts";
import { type PlacedTensor, read } from "../tensor/tensor.ts";
import { curvesOf } from "../weights/history.ts";
import { encodeResume, encodeWeights, type RunProgress, type RunState, verifyResume } from "./checkpoint.ts";
import { isOutOfSteps, whyFinished } from "./ending.ts";
import { ALONE, type Exchange } from "./exchange.ts";
import { type Method, TABLE_ROWS } from "./method.ts";
import { bestEpochs, isBetter } from "./monitor.ts";
import { stepsPerEpoch } from "./preconditions.ts";
import { replayStep } from "./replay.ts";
import type { RunFiles } from "./run_files.ts";
import { learningRateFactor } from "./schedule.ts";
import { StepRunner } from "./step_runner.ts";

/** Training that cannot go on. */
export class TrainingError extends Error {
  /** Name of the error class. */
  override readonly name = "TrainingError";
}

/** What the trainer tells while it works. */
export interface Reporter {
  /**
   * Progress within an epoch.
   *
   * @param left images until the end of the run; of the epoch, if not given
   */
  progress(text: string, done: number, total: number, imagesPerSecond: number, left?: number): void;
  /** A line that stays. */
  line(text: string): void;
}

/** How a run ends from outside. */
export interface TrainerOptions {
  /** When it is aborted, the run saves and stops. */
  readonly signal?: AbortSignal;
  /** Repeats the first step and compares every bit before training begins. */
  readonly deterministicCheck?: boolean;
  /** Ties this process to others that train with it; a run of one process by default. */
  readonly exchange?: Exchange;
  /** Draws what was predicted of the validation images after an epoch, for TensorBoard. */
  readonly draw?: (results: TestResults) => Promise<EventPicture[]>;
}

/** What is known of an epoch, by name. */
interface EpochMetrics {
  readonly train: Record<string, number>;
  readonly val: Record<string, number> & { readonly loss: number };
}

/** Trains a method's model from a state on. */
export class Trainer {
  readonly #gpu: Gpu;
  readonly #config: RunConfig;
  readonly #method: Method;
  readonly #folder: RunFiles;
  readonly #reporter: Reporter;
  readonly #options: TrainerOptions;
  readonly #state: RunState;
  readonly #trainedOn: RunProgress["trainedOn"];
  readonly #stepsPerEpoch: number;
  readonly #pacer: Pacer;
  readonly #exchange: Exchange;
  #collected: number;
  #savedAt = performance.now();
  #checked = false;

  /** Prepares a run; nothing is computed yet. */
  constructor(
    gpu: Gpu,
    config: RunConfig,
    method: Method,
    folder: RunFiles,
    { state, trainedOn }: RunProgress,
    reporter: Reporter,
    options: TrainerOptions = {},
  ) {
    this.#gpu = gpu;
    this.#config = config;
    this.#method = method;
    this.#folder = folder;
    this.#reporter = reporter;
    this.#options = options;
    this.#state = state;
    this.#trainedOn = trainedOn;
    this.#collected = state.step;
    this.#exchange = options.exchange ?? ALONE;
    this.#pacer = new Pacer(gpu, { signal: this.#exchange.within(options.signal) });
    this.#stepsPerEpoch = stepsPerEpoch(method.batchSize, method.images.length);
  }

  /** Writes the state before the first step, so that a run can be resumed from its beginning. */
  async begin(): Promise<void> {
    await this.#saveResume();
  }

  /**
   * Trains until the last epoch, the last step, or the patience is reached.
   *
   * @returns the final state
   * @throws {TrainingError} if numbers stop being finite
   * @throws {Interrupted} if the signal was aborted; the state is saved
   */
  async run(): Promise<RunState> {
    const state = this.#state;
    while (!state.finished) {
      const started = performance.now();
      const firstStep = state.stepInEpoch;
      await this.#trainEpoch();
      const images = (state.stepInEpoch - firstStep) * this.#method.batchSize;
      await this.#endEpoch(1000 * images / (performance.now() - started));
      if (!state.finished && this.#stopAsked) await this.#stop();
    }
    return state;
  }

  /** Steps until the run ends at the latest. */
  get #stepsLeft(): number {
    const { epochs, max_steps } = this.#config.training, { epoch, stepInEpoch, step } = this.#state;
    const ofEpochs = (epochs - epoch) * this.#stepsPerEpoch - stepInEpoch;
    return max_steps > 0 ? Math.min(ofEpochs, max_steps - step) : ofEpochs;
  }

  get #stopAsked(): boolean {
    return this.#exchange.stopAsked(this.#options.signal);
  }

  get #outOfSteps(): boolean {
    return isOutOfSteps(this.#state, this.#config.training);
  }

  async #trainEpoch(): Promise<void> {
    const { data, training } = this.#config;
    const state = this.#state, seed = trainingSeed(this.#config);
    const { images, batchSize } = this.#method;
    const order = data.shuffle ? new Random(seed, STREAMS.shuffle, state.epoch).shuffle(images.slice()) : images;
    const learningRates = this.#method.learningRates(learningRateFactor(state.epoch, training.warmup_epochs, training.epochs));
    const started = performance.now();
    const firstStep = state.stepInEpoch;
    const begins = this.#method.begins(this.#stepsPerEpoch);
    const rest = order.subarray(firstStep * batchSize, this.#stepsPerEpoch * batchSize);
    using runner = new StepRunner(this.#gpu, this.#method, this.#exchange, this.#pacer);
    for await (const parts of runner.stage(batchesOf(rest, batchSize))) {
      if (this.#outOfSteps) break;
      const numbers = { seed, step: state.step, row: state.step % TABLE_ROWS, learningRates, begins };
      const compute = () => runner.run(parts, numbers);
      if (this.#options.deterministicCheck && !this.#checked) await this.#checkReplay(compute);
      const outcome = await compute();
      if (outcome === "stopped") break;
      state.step++;
      state.stepInEpoch++;
      if (outcome === "pending") continue;
      await this.#collect();
      const speed = 1000 * (state.stepInEpoch - firstStep) * batchSize / (performance.now() - started);
      const { loss } = this.#method.summarise(state.sums, Math.max(1, state.stepInEpoch - state.skipped));
      const text = `epoch ${state.epoch + 1}/${training.epochs} loss ${loss!.toFixed(4)}`;
      const done = state.stepInEpoch * batchSize;
      this.#reporter.progress(text, done, this.#stepsPerEpoch * batchSize, speed, this.#stepsLeft * batchSize);
      await this.#betweenWindows();
    }
    await this.#pacer.drain();
    await this.#collect();
    await this.#betweenWindows();
  }

  /** Adds the results of the steps since the last call to the epoch's sums, in the order of the steps. */
  async #collect(): Promise<void> {
    const state = this.#state;
    const columns = this.#method.table.shape[1]!;
    const table = await read(this.#gpu, this.#method.table);
    const report = await read(this.#gpu, this.#method.report);
    for (; this.#collected < state.step; this.#collected++) {
      const row = this.#collected % TABLE_ROWS;
      const values = table.subarray(row * columns, (row + 1) * columns);
      const skipped = report[2 * row + 1] === 1 || !values.every(Number.isFinite);
      if (skipped) state.skipped++;
      else {
        values.forEach((value, i) => state.sums[i] = state.sums[i]! + value);
        state.norms += report[2 * row]!;
      }
      state.skippedInARow = skipped ? state.skippedInARow + 1 : 0;
    }
    const { max_skipped_steps: most } = this.#config.training;
    if (state.skippedInARow >= most) {
      throw new TrainingError(
        `${state.skippedInARow} steps in a row had numbers that are not finite, the first in ${await this.#badTensor()}. ` +
          this.#remedy,
      );
    }
  }

  /** What to do about numbers that are not finite. */
  get #remedy(): string {
    const { latest } = this.#folder;
    const weights = this.#folder.read(latest) ? `, from its last weights with --init ${latest}` : "";
    return "Check the data, or use smaller learning rates or training.clip_norm: go on from the last checkpoint with --extend, or " +
      `train in another --out${weights}`;
  }

  async #checkReplay(compute: () => Promise<unknown>): Promise<void> {
    this.#checked = true;
    const { different, compared } = await replayStep(this.#gpu, this.#method, this.#pacer, compute);
    if (this.#stopAsked) return;
    if (different !== undefined) {
      throw new TrainingError(
        `A step that was repeated gave other bits, first in "${different}": the adapter or its driver (${this.#gpu.adapter.name}) ` +
          "does not compute the same twice. Update the driver, or use another adapter",
      );
    }
    const step = this.#state.step + 1;
    this.#reporter.line(`Step ${step} was computed twice, with the same bits in ${compared.toLocaleString("en")} numbers`);
  }

  async #badTensor(): Promise<string> {
    const label = await this.#exchange.firstOf(await this.#method.plan.firstNonFinite());
    return label === undefined ? "a tensor that is finite when the step is repeated" : `"${label}"`;
  }

  async #betweenWindows(): Promise<void> {
    if (this.#stopAsked) await this.#stop();
    const minutes = (performance.now() - this.#savedAt) / 60_000;
    if (minutes >= this.#config.training.checkpoint_minutes) await this.#save();
  }

  /** Saves the state and ends the run. */
  async #stop(): Promise<never> {
    await this.#save();
    // who leaves first would end the others before the state is saved
    await this.#exchange.barrier();
    const { epoch, stepInEpoch } = this.#state;
    throw new Interrupted(
      `Stopped in epoch ${
        epoch + 1
      } after step ${stepInEpoch} of ${this.#stepsPerEpoch}; the state is saved in ${this.#folder.resume}`,
    );
  }

  /** Evaluates an epoch, writes what there is to say of it, and begins the next one. */
  async #endEpoch(imagesPerSecond: number): Promise<void> {
    const state = this.#state, { epochs } = this.#config.training;
    const { skipped } = state, steps = Math.max(1, state.stepInEpoch - skipped), gradientNorm = state.norms / steps;
    const metrics = await this.#evaluateEpoch(steps);
    const improved = this.#nextEpoch(metrics);
    await this.#writeMetrics({
      gradient_norm: gradientNorm,
      skipped_steps: skipped,
      adapter_mib: Math.round(this.#gpu.memory.bytes / 2 ** 20),
      images_per_s: imagesPerSecond,
    });
    await this.#saveEpoch(improved);
    await this.#exchange.same("The weights", () => hashOf(this.#gpu, this.#method.model.parameters.values));
    const curves = curvesOf(this.#method.info({}).targets);
    this.#reporter.line(
      `epoch ${state.epoch}/${epochs}  ${describe("train", metrics.train, curves)}  ${describe("val", metrics.val, curves)}  ` +
        `${formatSpeed(imagesPerSecond)} images/s${improved ? "  best" : ""}${skipped ? `  ${skipped} steps skipped` : ""}`,
    );
  }

  /**
   * Metrics of the steps of an epoch, and of the validation images after it.
   *
   * @throws {TrainingError} if they are not finite
   */
  async #evaluateEpoch(steps: number): Promise<EpochMetrics> {
    const { epoch, skipped, stepInEpoch, sums } = this.#state;
    if (skipped > 0 && skipped === stepInEpoch) {
      throw new TrainingError(
        `All ${skipped} steps of epoch ${epoch + 1} had numbers that are not finite, the first in ${await this.#badTensor()}. ` +
          this.#remedy,
      );
    }
    const val = await this.#validate();
    if (!Number.isFinite(val.loss)) {
      throw new TrainingError(
        `The validation loss is ${val.loss} in epoch ${epoch + 1}; the first tensor that is not finite is ` +
          `${await this.#badTensor()}. ${this.#remedy}`,
      );
    }
    return { train: this.#method.summarise(sums, steps), val };
  }

  /** Takes an epoch's metrics into the state, and begins the next one; true if the weights are the best up to now. */
  #nextEpoch({ train, val }: EpochMetrics): boolean {
    const state = this.#state, { training } = this.#config;
    for (const [prefix, metrics] of Object.entries({ train, val })) {
      for (const [name, value] of Object.entries(metrics)) (state.history[`${prefix}_${name}`] ??= []).push(value);
    }
    const monitored = val[training.monitor]!;
    const improved = isBetter(training.monitor, monitored, state.best);
    state.best = improved ? monitored : state.best;
    state.stale = improved ? 0 : state.stale + 1;
    state.epoch++;
    [state.stepInEpoch, state.norms, state.skipped] = [0, 0, 0];
    state.sums.fill(0);
    state.finished = whyFinished(state, training);
    return improved;
  }

  /** Writes the newest value of each curve, and what else is known of the epoch that has ended. */
  async #writeMetrics(more: Record<string, number>): Promise<void> {
    const { epoch, step, history } = this.#state, { training, output } = this.#config;
    const [lr] = this.#method.learningRates(learningRateFactor(epoch - 1, training.warmup_epochs, training.epochs));
    const curves = Object.fromEntries(Object.entries(history).map(([name, values]) => [name, values.at(-1)!]));
    const metrics = { epoch, step, lr: lr!, ...curves, ...more };
    this.#folder.appendMetrics(metrics);
    if (!output.tensorboard) return;
    const { validated } = this.#method;
    this.#folder.appendEvents(metrics, validated ? await this.#options.draw?.(validated) ?? [] : []);
  }

  async #validate(): Promise<Record<string, number> & { loss: number }> {
    const progress = (done: number, total: number) => this.#reporter.progress("validation", done, total, NaN);
    try {
      return await this.#method.withMean(() =>
        this.#method.validate({ progress, signal: this.#exchange.within(this.#options.signal) })
      );
    } catch (error) {
      if (error instanceof Interrupted) await this.#stop();
      throw error;
    }
  }

  /** Writes what {@linkcode #save} does, and the weights as those of one of the best epochs, or the best one, if they are. */
  async #saveEpoch(best: boolean): Promise<void> {
    const { monitor, keep } = this.#config.training, { history, epoch } = this.#state;
    const kept = keep > 1 ? bestEpochs(history, monitor, keep) : [];
    await this.#save([...(best ? [this.#folder.best] : []), ...(kept.includes(epoch) ? [this.#folder.epoch(epoch)] : [])]);
    this.#folder.removeEpochsBut(kept);
  }

  /** Writes the weights, under other names too, and the state to resume from. */
  async #save(names: readonly string[] = []): Promise<void> {
    const weights = await encodeWeights(this.#method, this.#progress);
    for (const name of names) await this.#folder.save(name, weights);
    await this.#saveResume();
    await this.#folder.save(this.#folder.latest, weights);
    this.#savedAt = performance.now();
  }

  async #saveResume(): Promise<void> {
    const { resume } = this.#folder;
    const contents = await encodeResume(this.#gpu, this.#method, this.#progress, this.#config);
    await this.#folder.save(resume, contents, verifyResume(resume));
  }

  get #progress(): RunProgress {
    return { state: this.#state, trainedOn: this.#trainedOn };
  }
}

/** Tells numbers by their bits. */
async function hashOf(gpu: Gpu, x: PlacedTensor): Promise<string> {
  return await sha256(await read(gpu, x));
}

function describe(part: string, metrics: Record<string, number>, curves: ReturnType<typeof curvesOf>): string {
  return `${part} ` + Object.entries(metrics).map(([name, value]) => {
    const { unit } = curves[name] ?? {};
    return `${name} ${unit === undefined ? value.toFixed(4) : withUnit(formatReal(value, digitsOf({ unit }, 4)), { unit })}`;
  }).join(" ");
}
