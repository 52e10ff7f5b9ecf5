/** @file Opens files that hold bytes, reads and writes that are complete (one system call may move fewer bytes than it was asked for), and what is in a folder. */

/** A path that leads to no file that can be read. The message does not name it. */
export class OpenError extends Error {
  /** Name of the error class. */
  override readonly name = "OpenError";
  /** True if nothing is there. */
  readonly missing: boolean;

  constructor(message: string, missing = false) {
    super(message);
    this.missing = missing;
  }
}

/**
 * Opens a file for reading. Folders, pipes and devices are refused before: a pipe waits for whoever writes to it, and
 * nothing interrupts it.
 *
 * @throws {OpenError} saying what is there instead, or why it cannot be opened
 */
export function openToRead(path: string): Deno.FsFile {
  try {
    const { isFile, isDirectory, isFifo, isSocket } = Deno.statSync(path);
    if (isFile) return Deno.openSync(path);
    const kind = isDirectory ? "a folder" : isFifo ? "a pipe" : isSocket ? "a socket" : "a device";
    throw new OpenError(`this is ${kind}, not a file. ${isDirectory ? "Name a file in it" : "Copy what comes from it to a file"}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new OpenError("there is no such file", true);
    const [, reason] = /^(.*) \(os error \d+\)/.exec((error as Error).message) ?? [];
    throw reason === undefined ? error : new OpenError(`it cannot be opened: ${reason.toLowerCase()}. Check its path and rights`);
  }
}

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
