/**
 * @file Keeps the queue short enough for the program to answer.
 *
 * Waiting for the adapter blocks the thread, signals included, until all submitted work is done. So work
 * is handed over in windows of about a second: long enough to keep the adapter busy, short enough for Ctrl-C.
 */

import type { Gpu } from "./device.ts";

/** Most submissions in a window, whatever their speed. */
export const MOST_PENDING = 64;

/** Decides after which submission to wait. */
export class Pacer {
  readonly #gpu: Gpu;
  readonly #target: number;
  #window = 1;
  #pending = 0;
  #since = performance.now();

  /**
   * Starts with a window of one submission.
   *
   * @param gpu the device that work is submitted to
   * @param target milliseconds of work in a window
   */
  constructor(gpu: Gpu, target = 700) {
    this.#gpu = gpu;
    this.#target = target;
  }

  /**
   * Counts a submission, and waits for all of them at the end of a window.
   *
   * @returns true if it waited: everything submitted so far is done, and results may be read
   */
  async submitted(): Promise<boolean> {
    if (++this.#pending < this.#window) return false;
    await this.drain();
    return true;
  }

  /** Waits for everything that was submitted. */
  async drain(): Promise<void> {
    await this.#gpu.finish();
    const each = (performance.now() - this.#since) / Math.max(1, this.#pending);
    this.#window = Math.max(1, Math.min(MOST_PENDING, 2 * this.#window, Math.floor(this.#target / each)));
    this.#pending = 0;
    this.#since = performance.now();
  }
}
