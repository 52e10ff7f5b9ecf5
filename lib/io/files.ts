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
    const n = uninterrupted(() => file.readSync(into.subarray(done)));
    if (n === null) break;
    done += n;
  }
  return done;
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
