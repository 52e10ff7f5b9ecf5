/** @file Opens files that hold bytes, reads and writes that are complete (one system call may move fewer bytes than it was asked for), and what is in a folder. */

import type { ByteSource, SourceState } from "../io/source.ts";
import { FileError } from "../io/file_error.ts";
import { explainError } from "./system_error.ts";

/**
 * Opens a file for reading. Folders, pipes and devices are refused before: a pipe waits for whoever writes to it, and
 * nothing interrupts that.
 *
 * @param elsewhere a sentence that names another place for the file
 * @throws {FileError} if there is something else than a file, or the operating system refuses
 * @throws {Deno.errors.NotFound} if there is nothing
 */
export function openToRead(path: string, elsewhere?: string): Deno.FsFile {
  try {
    const { isFile, isDirectory, isFifo, isSocket } = Deno.statSync(path);
    if (isFile) return named(Deno.openSync(path), path);
    const [kind, remedy] = isDirectory
      ? ["a folder", "Name a file in it"]
      : [isFifo ? "a pipe" : isSocket ? "a socket" : "a device", "Copy what comes from it to a file"];
    throw new FileError(`${path} cannot be opened: it is ${kind}, not a file. ${remedy}`);
  } catch (error) {
    throw error instanceof Deno.errors.NotFound ? error : explainError(error, path, "opened", elsewhere);
  }
}

/**
 * Opens a file to read any part of it.
 *
 * @throws as {@linkcode openToRead}
 */
export function openSource(path: string): ByteSource {
  return new FileSource(openToRead(path));
}

/** The bytes of an open file, which is closed with it. */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly #file: Deno.FsFile;

  /** Takes a file over. */
  constructor(file: Deno.FsFile) {
    this.#file = file;
    this.size = file.statSync().size;
  }

  read(position: number, into: Uint8Array): number {
    return readAt(this.#file, position, into);
  }

  state(): SourceState {
    const { size, mtime } = this.#file.statSync();
    return { size, modified: mtime?.getTime() ?? 0 };
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Paths of open files, to name them in what goes wrong while they are read. */
const PATHS = new WeakMap<Deno.FsFile, string>();

function named(file: Deno.FsFile, path: string): Deno.FsFile {
  PATHS.set(file, path);
  return file;
}

/**
 * Reads from a position until the buffer is full or the file ends.
 *
 * @returns bytes read
 * @throws {FileError} if the operating system refuses to read a file that {@linkcode openToRead} has opened
 */
export function readAt(file: Deno.FsFile, position: number, into: Uint8Array): number {
  try {
    file.seekSync(position, Deno.SeekMode.Start);
    let done = 0;
    while (done < into.length) {
      const n = uninterrupted(() => file.readSync(into.subarray(done)));
      if (n === null) break;
      done += n;
    }
    return done;
  } catch (error) {
    const path = PATHS.get(file);
    throw path === undefined ? error : explainError(error, path, "read");
  }
}

/** Writes all bytes at the file's current position. */
export function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += uninterrupted(() => file.writeSync(bytes.subarray(done)));
  }
}

/** Makes a system call again that a signal has interrupted. */
export function uninterrupted<Result>(call: () => Result): Result {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof Deno.errors.Interrupted)) throw error;
    }
  }
}

/** True if there is a file or folder at a path. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/** Removes a file where that can be done: cleaning up must not take the place of what the work has given or thrown. */
export function removeIfPossible(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it is gone already, or stays
  }
}

/** Paths of all files in a folder and those below it, in the order of their names. */
export function walk(folder: string): string[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => isDirectory ? walk(`${folder}/${name}`) : [`${folder}/${name}`]);
}
