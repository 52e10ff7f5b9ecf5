/**
 * @file Keeps the queue short enough for the program to answer.
 *
 * Waiting for the adapter blocks the thread, signals included, until all submitted work is done. So work is
 * handed over in portions of about a second: long enough to keep the adapter busy, short enough for Ctrl-C.
 * Replays that take less are collected in windows; one that takes more is submitted in portions.
 */

import type { Gpu } from "./device.ts";
import type { Replay } from "./replay.ts";

/** Most submissions in a window, whatever their speed. */
export const MOST_PENDING = 64;

/** Most kernels that are new to the driver in a portion whose time is not known yet: each may take a quarter of a second. */
const MOST_NEW = 6;
/** Most bytes that such a portion binds: a software adapter computes for about a second with them. */
const MOST_BYTES = 2 ** 28;

/** What became of a replay: done with all before it, still under way, or given up before it changed anything. */
export type Outcome = "done" | "pending" | "stopped";

/** Consecutive dispatches of a plan, and how long they took. */
interface Portion {
  readonly first: number;
  readonly last: number;
  readonly milliseconds: number;
}

/** How a {@linkcode Pacer} works. */
export interface PacerOptions {
  /** Milliseconds of work in a portion. */
  readonly target?: number;
  /** When it is aborted, a replay is given up between two portions if it has not yet changed anything that outlives it. */
  readonly signal?: AbortSignal | undefined;
}

/** Replays plans and decides when to wait for them. */
export class Pacer {
  readonly #gpu: Gpu;
  readonly #target: number;
  readonly #signal: AbortSignal | undefined;
  readonly #portions = new WeakMap<Replay, Portion[]>();
  #window = 1;
  #pending = 0;
  /** When the first of what is pending was submitted: what a program does between two windows is none of theirs. */
  #since = 0;

  /** Starts with small portions and a window of one replay. */
  constructor(gpu: Gpu, { target = 700, signal }: PacerOptions = {}) {
    this.#gpu = gpu;
    this.#target = target;
    this.#signal = signal;
  }

  /**
   * Replays a plan.
   *
   * @returns "done" if everything submitted so far is done and results may be read
   */
  async run(plan: Replay): Promise<Outcome> {
    const portions = this.#portions.get(plan);
    if (portions?.length === 1) {
      if (this.#pending === 0) this.#since = performance.now();
      plan.run();
      if (++this.#pending < this.#window) return "pending";
      await this.drain();
      return "done";
    }
    await this.drain();
    const timed: Portion[] = [];
    const endOf = (index: number, first: number) =>
      portions ? portions[index]!.last : plan.portionFrom(first, MOST_NEW, MOST_BYTES);
    let last = endOf(0, 0);
    for (let first = 0; first < plan.length;) {
      if (this.#signal?.aborted && first < plan.commitsFrom) return "stopped";
      const started = performance.now();
      plan.submit(first, last);
      // what follows is made ready meanwhile
      const next = last < plan.length ? endOf(timed.length + 1, last) : last;
      await this.#gpu.finish();
      timed.push({ first, last, milliseconds: performance.now() - started });
      [first, last] = [last, next];
      await turn();
    }
    this.#portions.set(plan, this.#balance(timed, plan.commitsFrom));
    return "done";
  }

  /** Waits for everything that was submitted. */
  async drain(): Promise<void> {
    if (this.#pending > 0) await this.#gpu.finish();
    this.waited();
  }

  /** Takes note that everything that was submitted is done, since something else has waited for it. */
  waited(): void {
    if (this.#pending === 0) return;
    const each = (performance.now() - this.#since) / this.#pending;
    this.#window = Math.max(1, Math.min(MOST_PENDING, 2 * this.#window, Math.floor(this.#target / each)));
    this.#pending = 0;
  }

  /** Joins portions that are short together and halves those that are long. Nothing is joined across the first commit. */
  #balance(portions: readonly Portion[], commitsFrom: number): Portion[] {
    const balanced: Portion[] = [];
    const whole = portions.reduce((sum, { milliseconds }) => sum + milliseconds, 0) <= this.#target;
    for (const portion of portions) {
      const { first, last, milliseconds } = portion;
      const previous = balanced.at(-1);
      if (previous && (whole || (first !== commitsFrom && previous.milliseconds + milliseconds <= this.#target))) {
        balanced[balanced.length - 1] = { first: previous.first, last, milliseconds: previous.milliseconds + milliseconds };
      } else if (milliseconds > this.#target && last - first > 1) {
        const middle = Math.ceil((first + last) / 2);
        balanced.push({ first, last: middle, milliseconds: milliseconds / 2 });
        balanced.push({ first: middle, last, milliseconds: milliseconds / 2 });
      } else balanced.push(portion);
    }
    return balanced;
  }
}

/** Lets signals and messages in. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
