/** @file Every entry point of every kernel has a test at sizes beyond one axis of the grid (tests/support/large.ts). */

import { assertEquals } from "@std/assert";
import { entriesOf } from "../../lib/gpu/wgsl.ts";

/** What no tape launches at such a size: a plan's own check, and the total of sums. */
const OTHERWISE = ["finite.check", "record.total"];

async function texts(folder: URL): Promise<[name: string, text: string][]> {
  const files = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile);
  return await Promise.all(files.map(async ({ name }) => [name, await Deno.readTextFile(new URL(name, folder))]));
}

Deno.test("every entry point of every kernel is tested beyond 2^22 elements", async () => {
  const kernels = await texts(new URL("../../kernels/", import.meta.url));
  const entries = kernels.flatMap(([name, text]) => entriesOf(text).map((entry) => `${name.replace(".wgsl", "")}.${entry}`));
  const tested = new Set<string>(OTHERWISE);
  for (const [, text] of await texts(new URL(".", import.meta.url))) {
    if (!text.includes("largeTest(")) continue;
    // "file.entry", or a list of entries and `file.${entry}`
    for (const [, entry] of text.matchAll(/"(\w+\.\w+)"/g)) tested.add(entry!);
    for (const [, list, file] of text.matchAll(/= \[([^\]]+)\]\s*\.map\(\(entry\) => `(\w+)\.\$\{entry\}`\)/g)) {
      for (const entry of list!.match(/\w+/g)!) tested.add(`${file}.${entry}`);
    }
  }
  assertEquals(entries.filter((entry) => !tested.has(entry)), []);
});
