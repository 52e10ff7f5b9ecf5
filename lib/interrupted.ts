/** @file What is thrown when the user has asked to stop and nothing is lost. */

/** The work was asked to stop; what is done is kept, and the same command goes on from there. */
export class Interrupted extends Error {
  /** Name of the error class. */
  override readonly name = "Interrupted";
}
