/** @file Files that are complete or absent, whoever else writes them, and whatever a killed process has left. */

import { assertEquals, assertThrows } from "@std/assert";
import { writeFileAtomic } from "../../../lib/disk/atomic.ts";
import { PendingFile } from "../../../lib/disk/pending_file.ts";
import { FileError } from "../../../lib/io/file_error.ts";
import { temporaryFolder } from "../../support/files.ts";
import { refusing } from "../../support/system.ts";

const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

Deno.test("PendingFile leaves the old file, and nothing else, if what was written is refused when it is read back", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  writeFileAtomic(path, "old");
  assertThrows(
    () => {
      using file = new PendingFile(path);
      file.write("new");
      file.complete();
      throw new Error(new TextDecoder().decode(file.readBack()));
    },
    Error,
    "new",
  );
  assertEquals([Deno.readTextFileSync(path), files(folder.path)], ["old", ["x"]]);
});

Deno.test("two that write the same file at the same time do not meet, and one of them stays", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  {
    using first = new PendingFile(path);
    using second = new PendingFile(path);
    for (const part of ["a", "b", "c"]) {
      first.write(`first ${part} `);
      second.write(`second ${part} `);
    }
    for (const file of [first, second]) file.complete();
    assertEquals(files(folder.path), ["x.2.partial", "x.partial"]);
    first.place();
    assertEquals(Deno.readTextFileSync(path), "first a first b first c ");
    second.place();
  }
  assertEquals([Deno.readTextFileSync(path), files(folder.path)], ["second a second b second c ", ["x"]]);
});

Deno.test("processes that write the same file many times leave a whole one, and nothing else", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  const source = new URL("../../../lib/disk/atomic.ts", import.meta.url).href;
  const program = `${folder.path}/write.ts`;
  Deno.writeTextFileSync(
    program,
    `import { writeFileAtomic } from ${JSON.stringify(source)};
    const whole = Deno.args[0].repeat(50_000);
    for (let i = 0; i < 100; i++) {
      writeFileAtomic(${JSON.stringify(path)}, whole);
      const read = Deno.readTextFileSync(${JSON.stringify(path)});
      if (read !== read[0].repeat(50_000)) throw new Error("a part was seen");
    }`,
  );
  const args = ["run", "--no-lock", `--allow-read=${folder.path}`, `--allow-write=${folder.path}`, program];
  const runs = ["a", "b", "c"].map((letter) => new Deno.Command("deno", { args: [...args, letter] }).output());
  for (const { code, stderr } of await Promise.all(runs)) assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertEquals(files(folder.path), ["write.ts", "x"]);
});

Deno.test("a new file that another process has taken, filled and put in its place before it was locked is left alone", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  let others = 0;
  using _overtaken = refusing("tryLockSync", () => {
    if (others++ === 0) writeFileAtomic(path, "another's");
  });
  using file = new PendingFile(path);
  assertEquals(Deno.readTextFileSync(path), "another's");
  file.write("now");
  file.complete();
  file.place();
  assertEquals([Deno.readTextFileSync(path), files(folder.path)], ["now", ["x"]]);
});

Deno.test("writeFileAtomic() writes over what a killed process has left", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  Deno.writeTextFileSync(`${path}.partial`, "much longer than what is written now");
  writeFileAtomic(path, "now");
  assertEquals([Deno.readTextFileSync(path), files(folder.path)], ["now", ["x"]]);
});

Deno.test("writeFileAtomic() goes round what has its temporary name and cannot be written, and leaves it", () => {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/x.partial`);
  Deno.symlinkSync(`${folder.path}/nowhere/x`, `${folder.path}/x.2.partial`);
  writeFileAtomic(`${folder.path}/x`, "now");
  assertEquals([Deno.readTextFileSync(`${folder.path}/x`), files(folder.path)], ["now", ["x", "x.2.partial", "x.partial"]]);
});

Deno.test("writeFileAtomic() works where the file system has no locks, and touches no file that may be another's", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  Deno.writeTextFileSync(`${path}.partial`, "perhaps another's");
  using _none = refusing("tryLockSync", () => {
    throw new Error("Function not implemented (os error 38)");
  });
  writeFileAtomic(path, "now");
  assertEquals([Deno.readTextFileSync(path), Deno.readTextFileSync(`${path}.partial`)], ["now", "perhaps another's"]);
  assertEquals(files(folder.path), ["x", "x.partial"]);
});

Deno.test("writeFileAtomic() says why it cannot write, and leaves the old file", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x`;
  writeFileAtomic(path, "old");
  {
    using _full = refusing("writeSync", () => {
      throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
    });
    assertThrows(() => writeFileAtomic(path, "new"), FileError, `${path} cannot be written: the disk is full`);
  }
  assertEquals([Deno.readTextFileSync(path), files(folder.path)], ["old", ["x"]]);
});
