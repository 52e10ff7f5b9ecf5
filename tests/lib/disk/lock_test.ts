/** @file Locks: held by one, waited for aloud, gone without trace, and no obstacle where there are none. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeFileAtomic } from "../../../lib/disk/atomic.ts";
import { tryLock, waitForLock } from "../../../lib/disk/lock.ts";
import { temporaryFolder } from "../../support/files.ts";
import { refusing } from "../../support/system.ts";

const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("tryLock() is refused while another holds the lock, and leaves no file behind", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.lock`;
  {
    using held = tryLock(path);
    assert(held);
    assertEquals(tryLock(path), undefined);
  }
  assertEquals(files(folder.path), []);
});

Deno.test("a lock whose file somebody has removed is let go without an error, and another's is not removed", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.lock`;
  const first = tryLock(path)!;
  Deno.removeSync(path);
  first[Symbol.dispose]();
  const second = tryLock(path)!;
  Deno.removeSync(path);
  using _third = tryLock(path)!;
  second[Symbol.dispose]();
  assertEquals(tryLock(path), undefined, "the third's lock was removed");
});

Deno.test("waitForLock() says at once what it waits for, and has the lock when it is free", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.lock`;
  const said: string[] = [];
  const held = tryLock(path)!;
  const notice = (line: string) => {
    said.push(line);
    held[Symbol.dispose]();
  };
  using _lock = await waitForLock(path, "another task has packed x", { notice });
  assertEquals(said, ["Waiting until another task has packed x"]);
  assertEquals(tryLock(path), undefined);
});

for (
  const answer of [
    "Function not implemented (os error 38)",
    "No locks available (os error 37)",
    "Operation not supported (os error 95)",
    "Stale file handle (os error 116)",
    "Unknown error 524 (os error 524)",
  ]
) {
  Deno.test(`where a lock is answered by "${answer}", one line says that there are none, and work goes on`, async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/x.lock`;
    using _none = refusing("tryLockSync", () => {
      throw new Error(answer);
    });
    const said: string[] = [];
    const options = { notice: (line: string) => said.push(line) };
    {
      using lock = tryLock(path, options);
      assert(lock);
    }
    using _waited = await waitForLock(path, "", options);
    assertEquals(said.length, 2);
    for (const line of said) assertMatch(line, /has no locks: make sure that no other task writes .*\/x at the same time$/);
    assertEquals(files(folder.path), []);
  });
}

Deno.test("a file system that numbers a file anew at every look is one without locks", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.lock`;
  const { statSync } = Deno;
  const said: string[] = [];
  try {
    Deno.statSync = (of) => ({ ...statSync(of), ino: Math.random() });
    using lock = tryLock(path, { notice: (line) => said.push(line) });
    assert(lock);
    writeFileAtomic(`${folder.path}/x`, "now");
  } finally {
    Deno.statSync = statSync;
  }
  assertEquals([said.length, files(folder.path)], [1, ["x"]]);
});

Deno.test("a signal while a lock is asked for is no refusal", () => {
  using folder = temporaryFolder();
  let interruptions = 2;
  using _interrupted = refusing("tryLockSync", () => {
    if (interruptions-- > 0) throw new Deno.errors.Interrupted("Interrupted system call (os error 4)");
  });
  using lock = tryLock(`${folder.path}/x.lock`);
  assert(lock);
  assertEquals(tryLock(`${folder.path}/x.lock`), undefined);
});
