/** @file What goes wrong with a file itself, whatever is in it. */

/** A file or folder that the operating system refuses. The message names it, what was being done, why, and what to do. */
export class FileError extends Error {
  /** Name of the error class. */
  override readonly name = "FileError";
}
