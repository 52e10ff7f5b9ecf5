/**
 * @file Locks on files, for processes that must not write the same file at the same time.
 *
 * Some file systems have no locks (Lustre without `-o flock`, some NFS): there work goes on without, and one line says so.
 */

import { dirname } from "node:path";
import { removeIfPossible, uninterrupted } from "./files.ts";
import { explaining, systemCode } from "./system_error.ts";

/** Is told a line that the user should see. */
export type Notice = (line: string) => void;

/** What whoever takes a lock is told, and tells the user. */
export interface LockOptions {
  /** Told what is waited for, and where there are no locks. */
  readonly notice?: Notice | undefined;
  /** A sentence that names another place for what is locked, if it cannot be written there. */
  readonly elsewhere?: string;
}

/** Times that a file may be removed or moved by others while it is taken. */
export const MOST_TRIES = 100;
/** Milliseconds between two looks at a lock that another process holds. */
const LOOK_EVERY = 250;
/** Milliseconds between two lines that say that it is still held. */
const SAY_EVERY = 30_000;

/**
 * Takes hold of a lock until the end of the block. The lock's file is removed then.
 *
 * @returns undefined if another process holds it
 * @throws {FileError} if its file cannot be made
 */
export function tryLock(path: string, { notice, elsewhere }: LockOptions = {}): Disposable | undefined {
  for (let tries = 1;; tries++) {
    const file = explaining(path, "made", () => Deno.openSync(path, { create: true, write: true }), elsewhere);
    const hold = holdFile(file, path);
    if (hold === "held") return heldLock(file, path);
    file.close();
    if (hold === "busy") return undefined;
    // a file that is never the one of its name is on a file system that cannot tell them apart
    if (hold === "unknown" || tries === MOST_TRIES) {
      removeIfPossible(path);
      notice?.(
        `The file system of ${dirname(path)} has no locks: make sure that no other task writes ${path.replace(/\.lock$/, "")} ` +
          "at the same time",
      );
      return { [Symbol.dispose]: () => {} };
    }
  }
}

/**
 * Waits for a lock, and holds it until the end of the block. What it waits for is said at once, and then every half minute.
 *
 * @param until what has happened when the other process lets go, as in "another task has packed data/jets.h5"
 * @throws {FileError} if its file cannot be made
 */
export async function waitForLock(path: string, until: string, options: LockOptions = {}): Promise<Disposable> {
  const started = performance.now();
  for (let said = -1;;) {
    const lock = tryLock(path, options);
    if (lock) return lock;
    const times = Math.floor((performance.now() - started) / SAY_EVERY);
    if (times > said) options.notice?.(`Waiting until ${until}${times > 0 ? ` (for ${times * SAY_EVERY / 60_000} min now)` : ""}`);
    said = times;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}

/** Whether a file is ours: "unknown" where there are no locks, "gone" if its name is another file's by now, or nobody's. */
export type Hold = "held" | "busy" | "gone" | "unknown";

/**
 * Takes hold of an open file, until it is closed.
 *
 * @param shared others may hold it too, but nobody exclusively
 */
export function holdFile(file: Deno.FsFile, path: string, shared = false): Hold {
  try {
    if (!uninterrupted(() => file.tryLockSync(!shared))) return "busy";
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return "unknown";
  }
  return isStill(file, path) ? "held" : "gone";
}

/** Removes a file unless another process holds it, or might where there are no locks. */
export function removeUnlessHeld(path: string): void {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return;
  }
  if (holdFile(file, path) === "held") removeIfPossible(path);
  file.close();
}

function heldLock(file: Deno.FsFile, path: string): Disposable {
  return {
    [Symbol.dispose]() {
      // somebody may have removed the file, and somebody else may hold a new one
      if (isStill(file, path)) removeIfPossible(path);
      file.close();
    },
  };
}

/** True if a path still names the open file. */
function isStill(file: Deno.FsFile, path: string): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
