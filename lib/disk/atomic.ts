/** @file Files that are replaced as a whole, lines that are added to a file, and folders. */

import { dirname } from "node:path";
import { exists, removeIfPossible } from "./files.ts";
import { PendingFile } from "./pending_file.ts";
import { explaining } from "./system_error.ts";

/**
 * Replaces a file by new contents. A reader sees the old file or the new one, never a part.
 *
 * @throws {FileError} if the file system refuses; the old file and its folder are then as they were
 */
export function writeFileAtomic(path: string, contents: Uint8Array | string): void {
  using file = new PendingFile(path);
  file.write(contents);
  file.complete();
  file.place();
}

/**
 * Adds text to a file.
 *
 * @throws {FileError} if the file system refuses
 */
export function appendText(path: string, text: string): void {
  explaining(path, "written", () => Deno.writeTextFileSync(path, text, { append: true }));
}

/**
 * Adds bytes to a file.
 *
 * @throws {FileError} if the file system refuses
 */
export function appendBytes(path: string, bytes: Uint8Array<ArrayBuffer>): void {
  explaining(path, "written", () => Deno.writeFileSync(path, bytes, { append: true }));
}

/**
 * Makes a folder and those above it.
 *
 * @param elsewhere a sentence that names another place for it, if it cannot be made
 * @returns what, disposed, removes those of them that it has made and that are still empty
 * @throws {FileError} if the file system refuses
 */
export function makeFolder(path: string, elsewhere?: string): Disposable {
  return explaining(path, "made", () => {
    const made: string[] = [];
    for (let folder = path; isMissing(folder); folder = dirname(folder)) made.push(folder);
    Deno.mkdirSync(path, { recursive: true });
    return { [Symbol.dispose]: () => made.forEach(removeIfPossible) };
  }, elsewhere);
}

/** True if there is no such folder; one that this process may not look at, above its own, is there. */
function isMissing(folder: string): boolean {
  try {
    return !exists(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
}

/**
 * Makes a folder for what a task computes, and sees that files can be written there: before the work, not after it.
 *
 * @returns what, disposed, removes what {@linkcode makeFolder} has made and is still empty
 * @throws {FileError} if the file system refuses
 */
export function makeOutputFolder(path: string): Disposable {
  const made = makeFolder(path);
  try {
    explaining(path, "written", () => Deno.removeSync(Deno.makeTempFileSync({ dir: path, suffix: ".partial" })));
  } catch (error) {
    made[Symbol.dispose]();
    throw error;
  }
  return made;
}
