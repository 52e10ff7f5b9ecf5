/** @file What can be replayed: a plan, or consecutive dispatches of one, where something has to happen between them. */

/** Something that can be submitted again and again, at once or in portions. */
export interface Replay {
  /** Number of dispatches. */
  readonly length: number;
  /** First dispatch that changes what outlives a replay: before it, a replay can be given up without a trace. */
  readonly commitsFrom: number;
  /** Submits all dispatches once. */
  run(): void;
  /** Submits the dispatches from the first up to, not including, the last. */
  submit(first: number, last: number): void;
  /**
   * The end of a portion that will take little time, whatever the driver has to compile for it; a single dispatch may take any time.
   *
   * @param first where it begins
   * @param kernels most kernels in it that were never submitted, if little is bound
   * @param bytes most that its dispatches may bind together, if no kernel is new
   */
  portionFrom(first: number, kernels: number, bytes: number): number;
}

/** Consecutive dispatches of a plan. */
export class Section implements Replay {
  readonly #whole: Replay;
  readonly #first: number;
  /** Number of dispatches. */
  readonly length: number;
  /** First dispatch that changes what outlives a replay. */
  readonly commitsFrom: number;

  /** The dispatches from the first up to, not including, the last. */
  constructor(whole: Replay, first: number, last: number) {
    this.#whole = whole;
    this.#first = first;
    this.length = last - first;
    this.commitsFrom = Math.min(this.length, Math.max(0, whole.commitsFrom - first));
  }

  /** Submits all dispatches once. */
  run(): void {
    this.submit(0, this.length);
  }

  /** Submits some of the dispatches. */
  submit(first: number, last: number): void {
    this.#whole.submit(this.#first + first, this.#first + last);
  }

  /** The end of a portion, as a plan says. */
  portionFrom(first: number, kernels: number, bytes: number): number {
    return Math.min(this.length, this.#whole.portionFrom(this.#first + first, kernels, bytes) - this.#first);
  }
}
