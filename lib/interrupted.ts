/** @file Long work: how it tells of its progress and lets signals in, and what is thrown when the user has asked to stop and nothing is lost. */

/** Told how many images of how many are done. */
export type Progress = (done: number, total: number) => void;

/** How long work tells of its progress, and is stopped. */
export interface WorkOptions {
  /** Is told what is done and how much there is. */
  readonly progress?: Progress | undefined;
  /** When it is aborted, the work ends with {@linkcode Interrupted}. */
  readonly signal?: AbortSignal | undefined;
}

/** The work was asked to stop; what is done is kept, and the same command goes on from there. */
export class Interrupted extends Error {
  /** Name of the error class. */
  override readonly name = "Interrupted";
}

/** Milliseconds between two pauses. */
const INTERVAL = 50;

/**
 * Lets signals in during long work on this thread, and tells of its progress. What it returns is to be called often: it comes back
 * at once unless the last pause was a while ago.
 *
 * @param stopped what is said if the work is stopped
 * @throws {Interrupted} from a call, if the signal was aborted
 */
export function pauses({ progress, signal }: WorkOptions, stopped = "Stopped"): (done: number, total: number) => Promise<void> {
  let last = performance.now();
  return async (done, total) => {
    if (performance.now() - last < INTERVAL && done < total) return;
    progress?.(done, total);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new Interrupted(stopped);
    last = performance.now();
  };
}
