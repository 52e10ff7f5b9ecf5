/** @file Files that are replaced as a whole, lines that are added to a file, and folders. */

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
 * Makes a folder and those above it.
 *
 * @param elsewhere a sentence that names another place for it, if it cannot be made
 * @throws {FileError} if the file system refuses
 */
export function makeFolder(path: string, elsewhere?: string): void {
  explaining(path, "made", () => Deno.mkdirSync(path, { recursive: true }), elsewhere);
}
