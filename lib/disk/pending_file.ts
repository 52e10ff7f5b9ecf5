/**
 * @file A file that is written piece by piece and is complete or absent: it takes its place when all of it is on the disk.
 *
 * Until then it lies beside its place, under a name that ends in ".partial". A process locks the file while it writes it, so
 * that two that write the same file take two names, and what a killed one has left is written over.
 */

import { readAt, removeIfPossible, writeAll } from "./files.ts";
import { holdFile, MOST_TRIES } from "./lock.ts";
import { FileError } from "../io/file_error.ts";
import { explaining, systemCode } from "./system_error.ts";

/** Characters that are kept before they are written. */
const BUFFER = 2 ** 16;
/** How the system refuses a file of another user, or a folder. */
const REFUSED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EISDIR"]);

/** A file under a name of its own, beside the one that it will have. It is removed unless it takes its place. */
export class PendingFile implements Disposable {
  /** The place. */
  readonly path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  #kept = "";
  #placed = false;

  /**
   * Begins a file. A file that has the place already stays until then.
   *
   * @throws {FileError} if the file system refuses, or if the place is a folder
   */
  constructor(path: string) {
    this.path = path;
    if (isFolder(path)) throw new FileError(`${path} cannot be written: it is a folder. Name a file`);
    ({ file: this.#file, name: this.#temporary } = this.#writing(() => openBeside(path)));
  }

  /**
   * Adds bytes, or text as UTF-8.
   *
   * @throws {FileError} if the file system refuses
   */
  write(contents: Uint8Array | string): void {
    if (typeof contents === "string") {
      this.#kept += contents;
      if (this.#kept.length >= BUFFER) this.#flush();
    } else {
      this.#flush();
      this.#writing(() => writeAll(this.#file, contents));
    }
  }

  /**
   * Ends the file; all of it is on the disk then, still under its own name.
   *
   * @throws {FileError} if the file system refuses
   */
  complete(): void {
    this.#flush();
    this.#writing(() => this.#file.syncSync());
  }

  /** What is in a complete file. */
  readBack(): Uint8Array {
    return this.#writing(() => {
      const bytes = new Uint8Array(this.#file.statSync().size);
      return bytes.subarray(0, readAt(this.#file, 0, bytes));
    });
  }

  /**
   * Gives a complete file its place.
   *
   * @throws {FileError} if the file system refuses
   */
  place(): void {
    this.#writing(() => Deno.renameSync(this.#temporary, this.path));
    this.#placed = true;
  }

  /** Closes the file, and removes it unless it has its place. */
  [Symbol.dispose](): void {
    if (!this.#placed) removeIfPossible(this.#temporary);
    this.#file.close();
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#kept);
    this.#kept = "";
    this.#writing(() => writeAll(this.#file, bytes));
  }

  #writing<Result>(work: () => Result): Result {
    return explaining(this.path, "written", work);
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

/** Opens an empty file beside a path, under the first name that no other process is writing to. */
function openBeside(path: string): { file: Deno.FsFile; name: string } {
  for (let n = 1;; n++) {
    const name = n === 1 ? `${path}.partial` : `${path}.${n}.partial`;
    const file = openAlone(name);
    if (!file) continue;
    file.truncateSync(0);
    return { file, name };
  }
}

/** A file of this name that no other process writes to; none if one does, or might. */
function openAlone(name: string): Deno.FsFile | undefined {
  for (let tries = 1;; tries++) {
    const { file, isNew } = openNewOrOld(name);
    if (!file) return undefined;
    const hold = holdFile(file, name);
    // where there are no locks, only a file that was not there can be known to be nobody's
    if (hold === "held" || (hold === "unknown" && isNew)) return file;
    // one that is never that of its name is on a file system that cannot tell them apart
    if (hold === "gone" && tries === MOST_TRIES) return file;
    file.close();
    if (hold !== "gone") return undefined;
  }
}

/** A file that was not there before, or the one that was; none if that cannot be written. */
function openNewOrOld(name: string): { file?: Deno.FsFile; isNew: boolean } {
  const options = { read: true, write: true };
  for (let tries = 0; tries < 10; tries++) {
    try {
      return { file: Deno.openSync(name, { ...options, createNew: true }), isNew: true };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    try {
      return { file: Deno.openSync(name, options), isNew: false };
    } catch (error) {
      if (REFUSED.has(systemCode(error) ?? "")) break;
      // it has taken its place meanwhile
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return { isNew: false };
}
