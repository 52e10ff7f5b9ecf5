/** @file What is thrown when the user has asked to stop and nothing is lost. */

import type { Progress } from "./data/packed.ts";

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
