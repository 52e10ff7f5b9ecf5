/** @file A file that holds no weights is told by what it is, not by what a reader of weights makes of it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileError } from "../../../lib/io/file_error.ts";
import { readWeightFile } from "../../../lib/disk/weight_files.ts";
import { WeightFileError } from "../../../lib/io/weight_file.ts";
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
  "a pickle of a dict of protocol 0": ["(dp0\nVcls_head.bias\np1\n", "a Python pickle. Weights are"],
  "a pickle of a dict of protocol 1": ["}q\0(X\x0d\0\0\0", "a Python pickle. Weights are"],
  "a pickle of a list of protocol 0": ["(lp0\nF1.5\na", "a Python pickle. Weights are"],
  "a pickle of an object of protocol 0": ["ccollections\nOrderedDict\np0\n(tRp1\n", "a Python pickle. Weights are"],
  "a pickle of an array of protocol 1": ["cnumpy.core.multiarray\n_reconstruct\nq\0(", "a Python pickle. Weights are"],
  "a git-annex pointer": ["/annex/objects/SHA256E-s1--00.pt\n", "'git annex get'"],
  "a DVC pointer": ["outs:\n- md5: 00\n  path: x.pt\n", "'dvc pull'"],
  "an answer of an S3 server": [
    '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>',
    "XML, often an error that a server has sent",
  ],
  "a NumPy array": ["\x93NUMPY\x01\0", "a NumPy array. Weights are"],
  "a ROOT file": ["root\0\0\xf4\x4c", "a ROOT file. Weights are"],
  "a Parquet file": ["PAR1\x15\0", "a Parquet file. Weights are"],
  "an ONNX model": ["\x08\x07\x12\x07pytorch", "an ONNX model. Weights are"],
  "a tar archive": ["model.pt".padEnd(257, "\0") + "ustar\0", "a tar archive. Unpack it"],
  "a picture": ["\x89PNG\r\n\x1a\n", "a PNG picture. Weights are"],
  "zeros": ["\0".repeat(4096), "nothing but zeros where it begins: it is still being written or copied, or that was cut off"],
  "JSON": ['{"model": {}}', 'text, which begins with {"model": {}}. Weights are'],
  "JSON with a brace where a header has its own": ['{"args":{"lr": 1}}', 'text, which begins with {"args":{"lr": 1}}. Weights are'],
  "a configuration": ["# as published\nmodel:\n  depth: 6\n", "text, which begins with # as published. Weights are"],
  "a table": ["class,mass\n1,80\n", "text, which begins with class,mass. Weights are"],
  "text with umlauts": ["Gr\xc3\xb6\xc3\x9fe\n", "text, which begins with Gr\u00f6\u00dfe. Weights are"],
  "text in UTF-16": ["\xff\xfem\0o\0", "text in UTF-16. Weights are"],
  "bytes without a meaning": ["\x01\x02\xfe\xff", "neither a safetensors file nor a checkpoint of PyTorch. Weights are"],
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
  assert(assertThrows(() => readWeightFile(path), WeightFileError).message.startsWith("this is nothing but zeros"));
});
