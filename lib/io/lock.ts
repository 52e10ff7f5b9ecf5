/** @file Locks on files, for processes that must not write the same file at the same time. */

/** Waits for a lock, and holds it until the end of the block. The lock's file is removed then. */
export function waitForLock(path: string): Disposable {
  for (;;) {
    const held = lock(path, (file) => {
      file.lockSync(true);
      return true;
    });
    if (held) return held;
  }
}

/** The lock, or undefined if another process holds it. */
export function tryLock(path: string): Disposable | undefined {
  return lock(path, (file) => file.tryLockSync(true));
}

function lock(path: string, acquire: (file: Deno.FsFile) => boolean): Disposable | undefined {
  const file = Deno.openSync(path, { create: true, write: true });
  // its last holder may have removed the file meanwhile: others may hold a new one of this name
  if (!acquire(file) || inodeOf(path) !== file.statSync().ino) {
    file.close();
    return undefined;
  }
  return {
    [Symbol.dispose]() {
      Deno.removeSync(path);
      file.close();
    },
  };
}

function inodeOf(path: string): number | null | undefined {
  try {
    return Deno.statSync(path).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
