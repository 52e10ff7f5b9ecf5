/** @file Files that lie are read whole or refused in one line. */

import { assert, assertEquals } from "@std/assert";
import { temporaryFolder } from "../support/files.ts";
import { runFuzz, TARGETS } from "./run.ts";
import { targets } from "./targets.ts";

/** Mutated files of each kind. */
const FILES = 4_000;

for (const target of TARGETS) {
  Deno.test(`${FILES} mutated files of kind "${target}" are read or refused in one line, in little time and memory`, async () => {
    using folder = temporaryFolder();
    const report = await runFuzz(target, 1, folder.path, ({ files }) => files < FILES);
    assertEquals(report.files, FILES);
    // a mutator whose files are all alike would prove nothing; what is unreadable of these two is left out without a word
    assert(target === "metrics" || target === "tuning" || report.refused > FILES / 10, `${report.refused} files were refused`);
    assert(report.refused < FILES, "no file was read whole");
  });
}

Deno.test("the files that fuzzing starts from are read whole", async () => {
  using folder = temporaryFolder();
  const all = await targets(folder.path);
  assertEquals(all.map(({ name }) => name), [...TARGETS]);
  for (const { seeds, read } of all) {
    for (const seed of seeds) {
      Deno.writeFileSync(`${folder.path}/seed`, seed);
      await read(`${folder.path}/seed`);
    }
  }
});
