/** @file State dicts for PyTorch: what our own reader makes of them, and that the pickle names nothing but tensors. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeSafetensors, type StoredTensor } from "../../../lib/io/safetensors.ts";
import type { TensorView } from "../../../lib/io/tensor_view.ts";
import { decodeTorch } from "../../../lib/io/torch.ts";
import { encodeTorch } from "../../../lib/io/torch_writer.ts";
import { openZip } from "../../../lib/io/zip.ts";

const MODEL = new URL("../../fixtures/torch/model.safetensors", import.meta.url);

/** What our reader finds. */
function read(file: Uint8Array): Map<string, StoredTensor> {
  return new Map([...decodeTorch(file).leaves].map(([name, leaf]) => [name, (leaf as TensorView).dense()]));
}

const tensor = (dtype: StoredTensor["dtype"], shape: number[], bytes: number): StoredTensor => ({
  dtype,
  shape,
  bytes: Uint8Array.from({ length: bytes }, (_, i) => 37 * i & 1),
});

Deno.test("decodeTorch() reads what encodeTorch() wrote, bit for bit", () => {
  const { tensors } = decodeSafetensors(Deno.readFileSync(MODEL));
  assertEquals(read(encodeTorch(tensors)), tensors);
});

Deno.test("encodeTorch() writes every type that PyTorch has a storage for, of any shape", () => {
  const tensors = new Map([
    ["double", tensor("F64", [2, 3], 48)],
    ["half", tensor("F16", [5], 10)],
    ["bfloat16", tensor("BF16", [1, 1, 3], 6)],
    ["long", tensor("I64", [], 8)],
    ["int", tensor("I32", [2], 8)],
    ["short", tensor("I16", [1], 2)],
    ["char", tensor("I8", [3], 3)],
    ["byte", tensor("U8", [70000], 70000)],
    ["bool", tensor("BOOL", [2, 2], 4)],
    ["none", tensor("F32", [0, 4], 0)],
    ["a name of many bytes: " + "\u00e4".repeat(150), tensor("F32", [1], 4)],
  ]);
  assertEquals(read(encodeTorch(tensors)), tensors);
  assertEquals(read(encodeTorch(new Map())), new Map());
  assertThrows(() => encodeTorch(new Map([["x", tensor("F8_E5M2", [1], 1)]])), RangeError, 'tensor "x" is of type F8_E5M2');
});

Deno.test("encodeTorch() writes a pickle of protocol 2 that names tensors and a dict alone", () => {
  const { tensors } = decodeSafetensors(Deno.readFileSync(MODEL));
  const pickle = openZip(encodeTorch(tensors)).read("archive/data.pkl")!;
  assertEquals([...pickle.subarray(0, 2)], [0x80, 2]);
  const { globals, opcodes } = scan(pickle);
  assertEquals([...globals].toSorted(), [
    "collections OrderedDict",
    "torch FloatStorage",
    "torch LongStorage",
    "torch._utils _rebuild_tensor_v2",
  ]);
  // PROTO MARK GLOBAL EMPTY_TUPLE REDUCE BINUNICODE BININT TUPLE BINPERSID NEWFALSE SETITEMS STOP
  const known = [0x80, 0x28, 0x63, 0x29, 0x52, 0x58, 0x4a, 0x74, 0x51, 0x89, 0x75, 0x2e];
  assertEquals(opcodes.difference(new Set(known)), new Set());
});

/** The opcodes of a pickle, and what it imports. */
function scan(pickle: Uint8Array): { globals: Set<string>; opcodes: Set<number> } {
  const view = new DataView(pickle.buffer, pickle.byteOffset, pickle.byteLength);
  const globals = new Set<string>(), opcodes = new Set<number>();
  for (let at = 0; at < pickle.length;) {
    const code = pickle[at++]!;
    opcodes.add(code);
    if (code === 0x80) at += 1;
    else if (code === 0x4a) at += 4;
    else if (code === 0x58) at += 4 + view.getUint32(at, true);
    else if (code === 0x63) {
      const end = pickle.indexOf(0x0a, pickle.indexOf(0x0a, at) + 1);
      globals.add(new TextDecoder().decode(pickle.subarray(at, end)).replace("\n", " "));
      at = end + 1;
    }
  }
  return { globals, opcodes };
}

Deno.test("encodeTorch() places numbers where memory can be mapped, and writes the same bytes each time", () => {
  const { tensors } = decodeSafetensors(Deno.readFileSync(MODEL));
  const file = encodeTorch(tensors), zip = openZip(file);
  for (const name of zip.names) assert(zip.read(name)!.byteOffset % 64 === 0, name);
  assertEquals(new TextDecoder().decode(zip.read("archive/version")), "3\n");
  assertEquals(encodeTorch(tensors), file);
});
