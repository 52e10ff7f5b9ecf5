/** @file Files that are complete or absent: written beside their place, flushed, then renamed. */

import { writeAll } from "./files.ts";

/** A file that cannot be written. The message names it, says why, and what to do. */
export class WriteError extends Error {
  /** Name of the error class. */
  override readonly name = "WriteError";
}

/**
 * Replaces a file by new contents. A reader sees the old file or the new one, never a part.
 *
 * @param check looks at what was written, read back from the disk, before it takes the place of the old file; what it
 * throws leaves the old file where it is
 * @throws {WriteError} if the file system refuses; the old file and its folder are then as they were
 */
export function writeFileAtomic(path: string, contents: Uint8Array | string, check?: (written: Uint8Array) => void): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const temporary = `${path}.partial`;
  explainingWrites(path, () => {
    try {
      {
        using file = Deno.openSync(temporary, { create: true, truncate: true, write: true });
        writeAll(file, bytes);
        file.syncSync();
      }
      check?.(Deno.readFileSync(temporary));
      Deno.renameSync(temporary, path);
    } catch (error) {
      remove(temporary);
      throw error;
    }
  });
}

/** Adds text to a file. */
export function appendText(path: string, text: string): void {
  explainingWrites(path, () => Deno.writeTextFileSync(path, text, { append: true }));
}

/** Makes a folder and those above it. */
export function makeFolder(path: string): void {
  explainingWrites(path, () => Deno.mkdirSync(path, { recursive: true }));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full. Free some space, then run the same command again",
  EDQUOT: "your share of the disk is used up. Free some space, then run the same command again",
  EROFS: "it is on a disk that can only be read. Use another folder",
  EACCES: "you may not write there. Use another folder, or change its rights",
};

/** Runs work that writes a file, and says in words why the file system refused. */
export function explainingWrites<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const reason = REASONS[(error as { code?: string }).code ?? ""];
    throw reason === undefined ? error : new WriteError(`${path} cannot be written: ${reason}`, { cause: error });
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    // on a disk that can only be read there is none either
    if (!(error instanceof Deno.errors.NotFound) && (error as { code?: string }).code !== "EROFS") throw error;
  }
}
