/** @file Bytes from memory and from a disk are read alike, and their check sum is the archives' own. */

import { assertEquals } from "@std/assert";
import { crc32 as reference } from "node:zlib";
import { openSource } from "../../../lib/disk/files.ts";
import { crc32 } from "../../../lib/io/crc32.ts";
import { MemorySource, readStart } from "../../../lib/io/source.ts";
import { temporaryFolder } from "../../support/files.ts";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => i * i % 251);

Deno.test("a source reads to the end of a buffer or to its own, whether it is memory or a file", () => {
  using folder = temporaryFolder();
  Deno.writeFileSync(`${folder.path}/x`, BYTES);
  using file = openSource(`${folder.path}/x`);
  for (const source of [file, new MemorySource(BYTES)]) {
    assertEquals(source.size, 1000);
    for (const [position, length, found] of [[0, 10, 10], [995, 10, 5], [1000, 10, 0], [2000, 1, 0]] as const) {
      const into = new Uint8Array(length);
      assertEquals(source.read(position, into), found);
      assertEquals(into.subarray(0, found), BYTES.subarray(position, position + found));
    }
    assertEquals(readStart(source, 7), BYTES.slice(0, 7));
    assertEquals(readStart(source), BYTES);
  }
});

Deno.test("crc32() gives the check sum of zip archives, for any number of bytes", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 255, 1000]) {
    assertEquals(crc32(BYTES.subarray(0, length)), reference(BYTES.subarray(0, length)));
  }
});
