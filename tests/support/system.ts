/** @file An operating system that refuses, where no real one can be brought to. */

/**
 * Replaces a method of open files until the end of the block.
 *
 * @param refuse is called before the method, and throws what the operating system would
 */
export function refusing(method: "readSync" | "writeSync" | "tryLockSync", refuse: () => void): Disposable {
  const { prototype } = Deno.FsFile as unknown as { prototype: Record<string, (...given: unknown[]) => unknown> };
  const real = prototype[method]!;
  prototype[method] = function (this: Deno.FsFile, ...given: unknown[]) {
    refuse();
    return real.apply(this, given);
  };
  return { [Symbol.dispose]: () => void (prototype[method] = real) };
}
