/** @file Work on a million images takes memory in proportion, and none of it lists them as arguments of a call or joins them in one text. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { temporaryFolder } from "../../support/files.ts";

const SCRIPT = new URL("../../support/million.ts", import.meta.url).pathname;
/** A quarter of a kilobyte for each image. */
const MOST_BYTES = 256 * 1_000_000;

// deno-lint-ignore no-explicit-any
const WORK: Readonly<Record<string, (said: any, folder: string) => void>> = {
  split: (train) => assertEquals(train, 700_000),
  measures(measures) {
    assertAlmostEquals(measures.roc_auc, 7 / 8, 1e-5);
    assertAlmostEquals(measures.accuracy, 3 / 4, 1e-5);
    assertEquals(measures.background_rejection, "Infinity");
  },
  bootstrap: (said) => assertEquals(said, "stopped"),
  csv(size, folder) {
    const file = new TextDecoder().decode(Deno.readFileSync(`${folder}/predictions.csv`));
    assertEquals(file.length, size);
    assertEquals(file.slice(0, 25), '"a model, or two",0,0,1,0');
    assertEquals(file.slice(-100).split("\n").at(-2)!.split(",").at(-2), "1");
  },
};

for (const [work, check] of Object.entries(WORK)) {
  Deno.test(`${work} of a million images takes less than 256 bytes of memory for each`, async () => {
    using folder = temporaryFolder();
    // Linux tells a process of its memory if it has all rights
    const args = ["run", "--quiet", "--allow-all", SCRIPT, folder.path, work];
    const { code, stdout } = await new Deno.Command("deno", { args, stderr: "inherit" }).output();
    assertEquals(code, 0);
    const { said, grown } = JSON.parse(new TextDecoder().decode(stdout));
    check(said, folder.path);
    assert(grown < MOST_BYTES, `${grown} bytes`);
  });
}
