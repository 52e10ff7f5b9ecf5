/** @file Deflate in script gives what zlib gives, and the same reasons where it gives nothing. */

import { assertEquals, assertThrows } from "@std/assert";
import { constants, deflateRawSync, deflateSync } from "node:zlib";
import { inflateInScript, ScriptInflateError } from "../../../lib/data/inflate_script.ts";
import { Random } from "../../../lib/random.ts";

const random = new Random(5, 91);
const CONTENTS: Readonly<Record<string, Uint8Array>> = {
  "nothing": new Uint8Array(0),
  "zeros": new Uint8Array(100_000),
  "noise": Uint8Array.from({ length: 70_000 }, () => random.below(256)),
  "sparse numbers": Uint8Array.from({ length: 50_000 }, () => random.below(50) === 0 ? random.below(256) : 0),
  "text": new TextEncoder().encode("to be or not to be, ".repeat(500) + "that is the question"),
};

for (const [what, bytes] of Object.entries(CONTENTS)) {
  Deno.test(`inflateInScript() unpacks ${what}, however it was packed`, () => {
    for (const level of [0, 1, 6, 9]) {
      for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY]) {
        assertEquals(inflateInScript(deflateSync(bytes, { level, strategy }), bytes.length, "zlib"), bytes.slice());
        assertEquals(inflateInScript(deflateRawSync(bytes, { level, strategy }), bytes.length, "raw"), bytes.slice());
      }
    }
  });
}

Deno.test("inflateInScript() says whether bytes are cut, damaged or more than was announced, and gives their beginning if asked", () => {
  const bytes = CONTENTS["text"]!, packed = deflateSync(bytes);
  const code = (input: Uint8Array, most = bytes.length) =>
    (assertThrows(() => inflateInScript(input, most, "zlib"), ScriptInflateError) as ScriptInflateError).code;
  assertEquals(code(packed.subarray(0, packed.length - 9)), "Z_BUF_ERROR");
  assertEquals(code(packed, bytes.length - 1), "ERR_BUFFER_TOO_LARGE");
  assertEquals(code(packed.map((byte, i) => i === packed.length - 1 ? byte ^ 1 : byte)), "Z_DATA_ERROR");
  assertEquals(code(Uint8Array.of(0x1f, 0x8b, 8)), "Z_DATA_ERROR");
  assertEquals(inflateInScript(deflateRawSync(bytes), 40, "raw", true), bytes.slice(0, 40));
  const start = inflateInScript(deflateRawSync(bytes).subarray(0, 30), bytes.length, "raw", true);
  assertEquals(start, bytes.slice(0, start.length));
});

Deno.test("inflateInScript() ends with a reason whatever it is given", () => {
  const packed = deflateRawSync(CONTENTS["sparse numbers"]!);
  for (let i = 0; i < 300; i++) {
    const damaged = packed.slice();
    for (let n = 0; n < 3; n++) damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
    try {
      inflateInScript(damaged, 50_000, "raw");
    } catch (error) {
      if (!(error instanceof ScriptInflateError)) throw error;
    }
  }
});
