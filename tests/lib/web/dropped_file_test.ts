/** @file Files that are dropped into the page, without a browser. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemorySource } from "../../../lib/io/source.ts";
import { generateJets } from "../../../lib/web/example.ts";
import { readDropped } from "../../../lib/web/dropped_file.ts";
import { decodeJets, encodeJets } from "../../../lib/web/shown_jets.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url);
const read = (path: string) => Deno.readFileSync(new URL(path, FIXTURES));
const drop = (name: string, bytes: Uint8Array) => readDropped(name, new MemorySource(bytes));

Deno.test("readDropped() takes a file for what it is, whatever its name", async () => {
  assert("images" in await drop("jets.dat", read("hdf5/contiguous.h5")));
  assert("state" in await drop("weights.h5", read("torch/model.pt")));
  const example = await generateJets("example", 1, 0, 2);
  const again = await drop("saved.bin", await encodeJets(example));
  assert("images" in again);
  assertEquals([again.images.count, again.labels, again.mass], [2, example.labels, example.mass]);
});

Deno.test("readDropped() says in one line what is wrong with a file that is cut or foreign", async () => {
  const cut = (path: string) => read(path).subarray(0, -100);
  const files: [string, Uint8Array, RegExp][] = [
    ["jets.h5", new TextEncoder().encode("no data"), /^jets\.h5: this is not an HDF5 file[^\n]*$/],
    ["jets.h5", cut("hdf5/contiguous.h5"), /^jets\.h5: [^\n]+$/],
    ["weights.pt", cut("torch/model.pt"), /^weights\.pt: not a PyTorch checkpoint that can be read: [^\n]+$/],
    ["weights.safetensors", new Uint8Array(20), /^weights\.safetensors: [^\n]+$/],
    ["<img src=x>.npz", new Uint8Array(0), /^<img src=x>\.npz: [^\n]+$/],
  ];
  for (const [name, bytes, expected] of files) {
    const { message } = await assertRejects(() => drop(name, bytes), Error);
    assert(expected.test(message), message);
  }
});

Deno.test("decodeJets() gives what encodeJets() was given, image by image", async () => {
  const jets = await generateJets("example", 3, 5, 3);
  const decoded = decodeJets("again", await encodeJets(jets));
  assertEquals(await decoded.images.batch([2, 0]), await jets.images.batch([2, 0]));
});
