/**
 * @file The choice of kernel variants at the first use of an adapter.
 *
 * Variants round differently. So what was chosen is kept with the run, and a run that goes on uses the same again.
 */

import type { OpenQuestion } from "../gpu/choices.ts";
import type { Gpu } from "../gpu/device.ts";
import { Interrupted } from "../interrupted.ts";
import { isRecord } from "../io/json.ts";
import type { ProductQuestion } from "../tensor/ops/matmul.ts";
import { fastestVariant } from "../tensor/ops/matmul_tuning.ts";
import { ALONE, type Exchange, ofFirst } from "./exchange.ts";

/** Variants by the question that they answer. */
export type Answers = Readonly<Record<string, string>>;

/** The choices of a run. */
export interface Tuning {
  /** Name of the adapter they were made on. */
  readonly adapter: string;
  /** Variants by what they compute. */
  readonly choices: Answers;
}

/** Where the choices of all adapters are kept, see lib/disk/tuning_file.ts. */
export interface TuningStore {
  /** What was chosen on an adapter before. */
  answersOf(adapter: string): Answers;
  /**
   * Keeps answers beside those that there are.
   *
   * @returns what became of it, in words
   */
  keep(adapter: string, answers: Answers): string;
}

/** Where choices are kept, and who is told. */
export interface TuningOptions {
  /** Choices to be used as they are: nothing is measured. */
  readonly fixed?: Answers | undefined;
  /** None keeps them for this run alone. */
  readonly tunings?: TuningStore | undefined;
  /** When it is aborted, measuring ends. */
  readonly signal?: AbortSignal | undefined;
  /** Receives a line that stays. */
  readonly line: (text: string) => void;
  /** Ties this process to others, for all of which rank 0 chooses. */
  readonly exchange?: Exchange | undefined;
}

/** The choices that a run has used so far. */
export function tuningOf({ adapter, choices }: Gpu): Tuning {
  return { adapter: adapter.name, choices: choices.taken };
}

/**
 * Choices in a file that somebody else may have written.
 *
 * @returns undefined if it is none
 */
export function parseTuning(text: string | undefined): Tuning | undefined {
  if (text === undefined) return undefined;
  try {
    const tuning: unknown = JSON.parse(text);
    return isRecord(tuning) && typeof tuning["adapter"] === "string" && isAnswers(tuning["choices"])
      ? { adapter: tuning["adapter"], choices: tuning["choices"] }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes a method, or anything else that records plans, with the variants that suit the adapter: those of earlier runs, and for
 * what they left open those that are fastest now.
 *
 * @param create is called once or twice
 * @throws {Interrupted} if the signal was aborted
 */
export async function createTuned<T extends Disposable>(gpu: Gpu, create: () => T, options: TuningOptions): Promise<T> {
  const { fixed, tunings, exchange = ALONE } = options;
  const first = exchange.rank === 0;
  const known = first ? fixed ?? tunings?.answersOf(gpu.adapter.name) : undefined;
  await answerAlike(gpu, exchange, known);
  const made = create();
  if (!await ofFirst(exchange, fixed === undefined && gpu.choices.open.length > 0)) return made;
  made[Symbol.dispose]();
  const measured = await exchange.inTurn(async () => first ? await measureOpenQuestions(gpu, options) : undefined);
  await answerAlike(gpu, exchange, measured);
  return create();
}

/** Gives all ranks the answers of rank 0; a rank with another adapter takes the variants that are its default. */
async function answerAlike({ adapter, choices }: Gpu, exchange: Exchange, answers: Answers = {}): Promise<void> {
  const theirs = await ofFirst(exchange, { adapter: adapter.name, choices: answers });
  choices.answer(theirs.adapter === adapter.name ? theirs.choices : {});
}

async function measureOpenQuestions(gpu: Gpu, options: TuningOptions): Promise<Answers> {
  const open = gpu.choices.open as OpenQuestion<ProductQuestion>[];
  const { tunings, line, signal } = options;
  line(`First use of this adapter at these sizes: measuring variants of ${open.length} matrix products`);
  const answers: Record<string, string> = { ...gpu.choices.taken };
  let faster = 0;
  const between = async () => {
    // lets signals in
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new Interrupted("Stopped while measuring kernels; nothing was computed yet");
  };
  for (const { question, details } of open) {
    const { name, time, wrong } = await fastestVariant(gpu, details, undefined, between);
    answers[question] = name;
    if (time < 1) faster++;
    for (const variant of wrong) line(`Left out, since it computes wrong numbers on this adapter: ${variant} for ${question}`);
  }
  line(`${faster} of them run faster than by default${tunings ? `; ${tunings.keep(gpu.adapter.name, answers)}` : ""}`);
  return answers;
}

/** True for variants by question. */
export function isAnswers(value: unknown): value is Answers {
  return isRecord(value) && Object.values(value).every((name) => typeof name === "string");
}
