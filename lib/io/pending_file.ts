/** @file A text file that is written piece by piece and is complete or absent: it takes its place when all of it is on the disk. */

import { explainingWrites, WriteError } from "./atomic.ts";
import { writeAll } from "./files.ts";

/** Characters that are kept before they are written. */
const BUFFER = 2 ** 16;

/** A file under a name of its own, beside the one that it will have. It is removed unless it takes its place. */
export class PendingFile implements Disposable {
  /** The place. */
  readonly path: string;
  readonly #temporary: string;
  #file: Deno.FsFile | undefined;
  #kept = "";
  #placed = false;

  /**
   * Begins a file. A file that has the place already stays until then.
   *
   * @throws {WriteError} if the file system refuses, or if the place is a folder
   */
  constructor(path: string) {
    this.path = path;
    this.#temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.partial`;
    if (isFolder(path)) throw new WriteError(`${path} cannot be written: it is a folder. Name a file`);
    this.#file = explainingWrites(path, () => Deno.openSync(this.#temporary, { createNew: true, write: true }));
  }

  /**
   * Adds text.
   *
   * @throws {WriteError} if the file system refuses
   */
  write(text: string): void {
    this.#kept += text;
    if (this.#kept.length >= BUFFER) this.#flush();
  }

  /**
   * Ends the file; all of it is on the disk then, still under its own name.
   *
   * @throws {WriteError} if the file system refuses
   */
  complete(): void {
    this.#flush();
    explainingWrites(this.path, () => this.#file!.syncSync());
    this.#close();
  }

  /** Gives a complete file its place. */
  place(): void {
    explainingWrites(this.path, () => Deno.renameSync(this.#temporary, this.path));
    this.#placed = true;
  }

  /** Removes the file unless it has its place. */
  [Symbol.dispose](): void {
    this.#close();
    if (!this.#placed) Deno.removeSync(this.#temporary);
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#kept);
    this.#kept = "";
    explainingWrites(this.path, () => writeAll(this.#file!, bytes));
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
