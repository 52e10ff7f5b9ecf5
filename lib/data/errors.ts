/** @file The error that every reader of data throws. */

/** A data file that cannot be used. The message names the file, what is wrong with it and what to do. */
export class DataError extends Error {
  /** Name of the error class. */
  override readonly name = "DataError";
}
