/** @file What is in the place of a checkpoint and is none. */

import { assertRejects } from "@std/assert";
import { decodeResume, UnusableCheckpoint } from "../../../lib/train/checkpoint.ts";

const OTHERS: Readonly<Record<string, readonly [bytes: string, what: string]>> = {
  "a pointer of Git LFS": ["version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "a Git LFS pointer"],
  "an HDF5 file": ["\x89HDF\r\n\x1a\n\0\0\0\0\0\b\b\0", "an HDF5 file"],
  "a checkpoint of PyTorch": ["PK\x03\x04\0\0\b\b", "a zip archive"],
  "a web page": ["<!doctype html><html><body>404</body></html>", "a web page"],
  "nothing": ["", "an empty file"],
  "zeros": ["\0".repeat(64), "nothing but zeros where it begins"],
  "any bytes": ["\xc7\x01\xfe\x99\x12\x0f\xaa\xbb\xcc\xdd", "of no known format"],
};

for (const [name, [bytes, what]] of Object.entries(OTHERS)) {
  Deno.test(`${name} in the place of a checkpoint is named, and not called damaged`, async () => {
    const file = Uint8Array.from(bytes, (letter) => letter.charCodeAt(0));
    await assertRejects(
      () => decodeResume(file, "runs/x/resume.safetensors"),
      UnusableCheckpoint,
      `runs/x/resume.safetensors is not a file to resume from: it is ${what}`,
    );
  });
}

Deno.test("a checkpoint that ends too early is damaged", async () => {
  const header = '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}';
  const file = new Uint8Array([header.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(header), 1, 2, 3]);
  for (const cut of [file, file.subarray(0, 30)]) {
    await assertRejects(() => decodeResume(cut, "resume.safetensors"), UnusableCheckpoint, "resume.safetensors is damaged");
  }
});
