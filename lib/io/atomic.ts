/** @file Files that are complete or absent: written beside their place, flushed, then renamed. */

import { writeAll } from "./files.ts";

/**
 * Replaces a file by new contents. A reader sees the old file or the new one, never a part.
 *
 * @throws the file system's error; the old file and its folder are then as they were
 */
export function writeFileAtomic(path: string, contents: Uint8Array | string): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const temporary = `${path}.partial`;
  try {
    using file = Deno.openSync(temporary, { create: true, truncate: true, write: true });
    writeAll(file, bytes);
    file.syncSync();
  } catch (error) {
    remove(temporary);
    throw error;
  }
  Deno.renameSync(temporary, path);
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
