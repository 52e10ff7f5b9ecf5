/** @file Reads and writes that are complete (one system call may move fewer bytes than it was asked for), whether a file is there, and what is in a folder. */

/**
 * Reads from a position until the buffer is full or the file ends.
 *
 * @returns bytes read
 */
export function readAt(file: Deno.FsFile, position: number, into: Uint8Array): number {
  file.seekSync(position, Deno.SeekMode.Start);
  let done = 0;
  while (done < into.length) {
    const n = file.readSync(into.subarray(done));
    if (n === null) break;
    done += n;
  }
  return done;
}

/** Writes all bytes at the file's current position. */
export function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** True if there is a file or folder at a path. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Paths of all files in a folder and those below it, in the order of their names. */
export function walk(folder: string): string[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => isDirectory ? walk(`${folder}/${name}`) : [`${folder}/${name}`]);
}
