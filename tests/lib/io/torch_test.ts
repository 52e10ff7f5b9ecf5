/** @file Checkpoints that PyTorch wrote, beside the same tensors in safetensors, and checkpoints that nobody should trust. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Opaque } from "../../../lib/io/pickle_values.ts";
import { decodeSafetensors, toFloats } from "../../../lib/io/safetensors.ts";
import type { TensorView } from "../../../lib/io/tensor_view.ts";
import { decodeTorch, TorchError } from "../../../lib/io/torch.ts";
import { readTensors } from "../../../lib/disk/weight_files.ts";
import { WeightsError } from "../../../lib/weights/weights.ts";
import {
  bytes,
  call,
  checkpoint,
  dict,
  get,
  global,
  int,
  list,
  numpyType,
  type Part,
  pickle,
  put,
  storage,
  tensor,
  text,
  tuple,
} from "../../support/pickle.ts";
import { zipOf } from "../../support/zip.ts";

const FOLDER = new URL("../../fixtures/torch/", import.meta.url).pathname;
const EXPECTED = decodeSafetensors(Deno.readFileSync(`${FOLDER}model.safetensors`)).tensors;

/** Rounds to bfloat16, halves to even. */
function bfloat16(x: number): number {
  const word = new Uint32Array(Float32Array.of(x).buffer);
  word[0] = (word[0]! + 0x7fff + ((word[0]! >> 16) & 1)) & 0xffff0000;
  return new Float32Array(word.buffer)[0]!;
}

const VARIANTS: Readonly<Record<string, (x: number) => number>> = {
  "model.pt": (x) => x,
  "pytorch2.pt": (x) => x,
  "strided.pt": (x) => x,
  "training.pt": (x) => x,
  "beside.pt": (x) => x,
  "beside5.pt": (x) => x,
  "half.pt": (x) => Math.f16round(x),
  "bfloat16.pt": bfloat16,
};

for (const [name, rounded] of Object.entries(VARIANTS)) {
  Deno.test(`readTensors() reads ${name} as PyTorch does, every number`, () => {
    const { tensors } = readTensors(FOLDER + name);
    assertEquals([...tensors.keys()].toSorted(), [...EXPECTED.keys()].toSorted());
    for (const [key, expected] of EXPECTED) {
      assertEquals(tensors.get(key)!.shape, expected.shape, key);
      if (expected.dtype === "I64") assertEquals(tensors.get(key)!.bytes, expected.bytes, key);
      else assertEquals(toFloats(tensors.get(key)!), toFloats(expected).map(rounded), key);
    }
  });
}

Deno.test("readTensors() reads parameters that were saved as such", () => {
  assertEquals(readTensors(`${FOLDER}parameters.pt`).tensors.get("cls_head.weight")!.shape, [2, 8]);
});

for (
  const [name, message] of Object.entries({
    "legacy.pt": "format from before version 1.6",
    "bare.pt": "a Python pickle",
    "script.pt": "torch.save(torch.jit.load(FILE).state_dict(), NEW)",
    "sparse.pt": '"patch_embed.proj.weight" is a torch._utils._rebuild_sparse_tensor, no plain tensor',
    "module.pt": "torch.save(model.state_dict(), NEW)",
    "command.pt": '"patch_embed.proj.weight" is a posix.system, no plain tensor',
  })
) {
  Deno.test(`readTensors() refuses ${name} in one line`, () => {
    const error = assertThrows(() => readTensors(FOLDER + name), WeightsError, message);
    assertEquals(error.message.split("\n").length, 1);
    assertStringIncludes(error.message, name);
  });
}

const leavesOf = (...parts: Part[]) => decodeTorch(checkpoint(pickle(...parts))).leaves;
/** The numbers of the tensor or array that a dict with it alone leads to. */
const numbersOf = (...parts: Part[]) => (leavesOf(dict(text("x"), parts)).get("x") as TensorView).numbers();

describe("decodeTorch() reads", () => {
  it("a checkpoint that was put together by hand", () => {
    assertEquals(numbersOf(tensor([2, 2], [1, 2])), [1, 3, 2, 4]);
  });
  it("an expanded tensor", () => assertEquals(numbersOf(tensor([2, 3], [1, 0], 1)), [2, 2, 2, 3, 3, 3]));
  it("a tensor without elements", () => assertEquals(numbersOf(tensor([0, 2 ** 31 - 1], [1, 1])), []));
  it("a tensor whose shape is changed after it was made, as it was", () => {
    const shape = [list(int(2)), put(1)], steps = [list(int(1)), put(2)];
    const made = call("torch._utils._rebuild_tensor_v2", storage("0"), int(0), shape, steps, 0x89, "}");
    assertEquals(numbersOf(made, get(1), "(", int(99), "e0", get(2), "(", int(99), "e0"), [1, 2]);
  });
  it("a tensor of a storage without type, as PyTorch 2 writes those of newer types", () => {
    const untyped = storage("0", "torch.storage.UntypedStorage"), type = global("torch.uint16");
    const made = call("torch._utils._rebuild_tensor_v3", untyped, int(4), tuple(int(2)), tuple(int(1)), 0x89, "}", type, "}");
    assertEquals(numbersOf(made), [0, 0x4040]);
  });
  it("a parameter with attributes, and a tensor of a subclass", () => {
    assertEquals(numbersOf(call("torch._utils._rebuild_parameter_with_state", tensor([1], [1]), 0x89, "}", "}")), [1]);
    const made = [global("torch._utils._rebuild_tensor_v2"), global("a.Subclass")];
    const values = tuple(storage("0"), int(0), tuple(int(1)), tuple(int(1)), 0x89, "}");
    assertEquals(numbersOf(call("torch._tensor._rebuild_from_type_v2", made, values, "}")), [1]);
  });
  it("what lies in lists, placeholders, their attributes and slots", () => {
    const slots = tuple("N", dict(text("s"), int(4)));
    const object = [call("a.B"), "(", text("item"), int(2), "u", dict(text("attribute"), int(3)), "b"];
    const leaves = leavesOf(dict(text("l"), list(dict(text("x"), int(1))), text("o"), object, text("p"), call("a.C"), slots, "b"));
    for (const [path, value] of [["l/0/x", 1], ["o/item", 2], ["o/attribute", 3]] as const) assertEquals(leaves.get(path), value);
  });
  it("a dict that contains itself, and its tensors once", () => {
    const leaves = leavesOf("}", put(0), text("me"), get(0), "s", text("x"), tensor([4], [1]), "s");
    assertEquals([...leaves.keys()], ["x"]);
  });
  it("a dict with two names under the shorter one, and knows the other", () => {
    const inner = dict(text("x"), int(1));
    const { leaves, aliases } = decodeTorch(checkpoint(pickle(dict(text("a"), dict(text("b"), inner, put(1)), text("c"), get(1)))));
    assertEquals([[...leaves], [...aliases]], [[["c/x", 1]], [["a/b", "c"]]]);
  });
});

describe("decodeTorch() takes no numbers from", () => {
  const opaque = (...parts: Part[]) => (leavesOf(dict(text("x"), parts)).get("x") as Opaque).name;
  it("a tensor of complex doubles", () => {
    const made = call("torch._utils._rebuild_tensor_v2", storage("0", "torch.ComplexDoubleStorage"), int(0), ")", ")", 0x89, "}");
    assertEquals(opaque(made), "torch.ComplexDoubleStorage");
  });
  it("a tensor that is negated on the fly", () => {
    const values = [storage("0"), int(0), ")", ")", 0x89, "}", dict(text("neg"), 0x88)];
    assertEquals(opaque(call("torch._utils._rebuild_tensor_v2", ...values)), "torch.Tensor with a negative or conjugate bit");
  });
  it("a tensor of a subclass of a subclass, however deep, or of itself", () => {
    const name = "torch._tensor._rebuild_from_type_v2";
    let values: Part = ")";
    for (let depth = 0; depth < 20_000; depth++) values = [global(name), "N", values, 0x87];
    assertEquals(opaque(global(name), values, "R"), name);
    assertEquals(opaque(global(name), "]", put(1), "(", global(name), "N", get(1), "eR"), name);
  });
  it("a call that is none of PyTorch's", () => assertEquals(opaque(call("builtins.eval", text("1"))), "builtins.eval"));
});

describe("decodeTorch() reads what NumPy pickled:", () => {
  const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer as ArrayBuffer);
  const encoded = (value: Uint8Array) => call("_codecs.encode", text(String.fromCharCode(...value)), text("latin1"));
  const scalar = (type: Part, value: Part) => call("numpy.core.multiarray.scalar", type, value);
  const empty = call("numpy.core.multiarray._reconstruct", global("numpy.ndarray"), tuple(int(0)), bytes(Uint8Array.of(98)));
  const array = (type: Part, shape: number[], value: Part, order: number = 0x89) => {
    return [empty, tuple(int(1), tuple(...shape.map(int)), type, order, value), "b"];
  };
  const one = (...parts: Part[]) => leavesOf(dict(text("x"), parts)).get("x");

  const scalars: Readonly<Record<string, [ArrayBufferView, unknown]>> = {
    b1: [Uint8Array.of(1), true],
    u1: [Uint8Array.of(200), 200],
    i2: [Int16Array.of(-3), -3],
    u4: [Uint32Array.of(4e9), 4e9],
    f2: [Uint16Array.of(0x3e00), 1.5],
    f4: [Float32Array.of(0.5), 0.5],
    i8: [BigInt64Array.of(-5n), -5],
    f8: [Float64Array.of(142.53), 142.53],
  };
  for (const [type, [value, number]] of Object.entries(scalars)) {
    it(`a scalar of type ${type}, little-endian and big-endian, as bytes and as text`, () => {
      const little = bytesOf(value), big = little.toReversed();
      for (const as of [bytes, encoded]) {
        assertEquals(one(scalar(numpyType(type), as(little))), number);
        assertEquals(one(scalar(numpyType(type, ">"), as(big))), number);
      }
    });
  }
  it("arrays of rows and of columns", () => {
    const values = encoded(bytesOf(Float64Array.of(1, 2, 3, 4)));
    assertEquals(numbersOf(array(numpyType("f8"), [2, 2], values)), [1, 2, 3, 4]);
    assertEquals(numbersOf(array(numpyType("f8"), [2, 2], values, 0x88)), [1, 3, 2, 4]);
  });
  it("arrays of protocol 5", () => {
    const values = bytes(bytesOf(Int32Array.of(5, 6)));
    assertEquals(numbersOf(call("numpy._core.numeric._frombuffer", values, numpyType("i4"), tuple(int(2)), text("C"))), [5, 6]);
  });
  it("text, dates, records and objects as placeholders", () => {
    assert(one(scalar(numpyType("U1"), bytes(bytesOf(Uint32Array.of(97))))) instanceof Opaque);
    assert(one(array(numpyType("M8"), [1], bytes(new Uint8Array(8)))) instanceof Opaque);
    assert(one(array(numpyType("O8", "|"), [1], list("N"))) instanceof Opaque);
    assert(one(call("_codecs.encode", text("x"), text("rot13"))) instanceof Opaque);
    assert(one(call("_codecs.encode", text("\u20ac"), text("latin1"))) instanceof Opaque);
  });
});

const of = (...shape: Parameters<typeof tensor>) => checkpoint(pickle(dict(text("x"), tensor(...shape))));
const plain = pickle(dict(text("x"), tensor([4], [1])));
const BROKEN: Readonly<Record<string, [file: Uint8Array, message: string]>> = {
  "a tensor beyond its storage": [of([2, 2], [2, 1], 1), "does not fit its storage"],
  "a tensor with a negative stride": [of([2], [-1], 1), "without offset, shape or stride"],
  "a tensor of more axes than any": [of(new Array(65).fill(1), new Array(65).fill(1)), "without offset, shape or stride"],
  "a tensor without a storage": [
    checkpoint(pickle(call("torch._utils._rebuild_tensor_v2", "N", int(0), ")", ")", 0x89, "}"))),
    "without a storage",
  ],
  "a NumPy array of other bytes": [
    checkpoint(pickle(call("numpy.core.multiarray.scalar", numpyType("f8"), bytes(new Uint8Array(3))))),
    "other bytes than its shape says",
  ],
  "a reference to what is no storage": [checkpoint(pickle(text("x"), "Q")), "no storage"],
  "a storage that is missing": [zipOf({ "a/data.pkl": plain }), 'storage "0" is missing'],
  "a storage whose bytes have changed": [checkpoint(plain, { damage: "a/data/0" }), "checksum"],
  "storages that share bytes": [checkpoint(plain, { overlap: true }), "overlap"],
  "a compressed pickle": [checkpoint(plain, { method: 8 }), "is compressed. Unpack it, then pack it without: zip -0 -r"],
  "a pickle that is cut": [checkpoint(plain.subarray(0, 20)), "the pickle is cut"],
  "an archive of other files": [zipOf({ "a/version": new Uint8Array(1) }), 'other files, such as "a/version"'],
  "TorchScript": [zipOf({ "a/data.pkl": plain, "a/constants.pkl": plain }), "TorchScript"],
  "big-endian numbers": [zipOf({ "a/data.pkl": plain, "a/byteorder": new TextEncoder().encode("big") }), "big-endian"],
  "a cut archive": [checkpoint(plain).subarray(0, -30), "no end"],
};

for (const [what, [file, message]] of Object.entries(BROKEN)) {
  Deno.test(`decodeTorch() refuses ${what}`, () => {
    const error = assertThrows(() => decodeTorch(file), TorchError, message);
    assertEquals(error.message.split("\n").length, 1);
  });
}
