/** @file A file that holds no weights is told by what it is, not by what a reader of weights makes of it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileError } from "../../../lib/io/system_error.ts";
import { readWeightFile, WeightFileError } from "../../../lib/io/weight_file.ts";
import { temporaryFolder } from "../../support/files.ts";

const OTHERS: Readonly<Record<string, [start: string, message: string]>> = {
  "an empty file": ["", "an empty file. Weights are"],
  "a Git LFS pointer": ["version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "'git lfs pull'"],
  "a web page": ["<!DOCTYPE html>\n<html>", "a web page"],
  "gzip": ["\x1f\x8b\x08", "gunzip"],
  "HDF5": ["\x89HDF\r\n\x1a\n\0\0", "an HDF5 file. Weights are"],
  "a bare pickle": ["\x80\x04\x95", "a Python pickle. Weights are"],
  "PyTorch's old format": ["\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "before version 1.6"],
  "PyTorch's old format with a newer pickle": [
    "\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
    "before version 1.6",
  ],
  "JSON": ['{"model": {}}', "neither a safetensors file nor a checkpoint of PyTorch"],
  "a few bytes": ["abc", "neither"],
  "a safetensors file that is cut": [
    "\xff\0\0\0\0\0\0\0{",
    "not a valid safetensors file. The header claims 255 bytes in a file of 9",
  ],
  "a zip archive that is cut": ["PK\x03\x04", "not a PyTorch checkpoint that can be read: the archive has no end"],
};

for (const [what, [start, message]] of Object.entries(OTHERS)) {
  Deno.test(`readWeightFile() says what ${what} is`, () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/x.pt`;
    Deno.writeFileSync(path, Uint8Array.from(start, (character) => character.charCodeAt(0)));
    const error = assertThrows(() => readWeightFile(path), WeightFileError, message);
    assertEquals(error.message.split("\n").length, 1);
  });
}

Deno.test("readWeightFile() says so if there is no file, or a folder", () => {
  using folder = temporaryFolder();
  assertThrows(() => readWeightFile(folder.path), FileError, `${folder.path} cannot be opened: it is a folder`);
  assertThrows(() => readWeightFile(`${folder.path}/x.pt`), WeightFileError, "no such file");
  Deno.symlinkSync("x.pt", `${folder.path}/x.pt`);
  assertThrows(() => readWeightFile(`${folder.path}/x.pt`), FileError, "its links lead in a circle");
});

Deno.test("readWeightFile() reads no more than the start of a large file that holds no weights", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.pt`;
  using file = Deno.openSync(path, { write: true, create: true });
  // longer than any array may be
  file.truncateSync(2 ** 36);
  assert(assertThrows(() => readWeightFile(path), WeightFileError).message.startsWith("this is neither"));
});
