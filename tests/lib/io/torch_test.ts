/** @file Checkpoints that PyTorch wrote, beside the same tensors in safetensors, and checkpoints that nobody should trust. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { decodeSafetensors, toFloats } from "../../../lib/io/safetensors.ts";
import { decodeTorch, TorchError } from "../../../lib/io/torch.ts";
import { readTensors, readWeights, WeightsError } from "../../../lib/nn/weights.ts";
import { type ZipChange, zipOf } from "../../support/zip.ts";

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

Deno.test("readWeights() takes a backbone alone, under a prefix", () => {
  const { model, state } = readWeights(`${FOLDER}backbone.pt`);
  assertEquals([model.embed_dim, model.depth, model.img_size, model.num_classes], [8, 1, 6, 2]);
  assertEquals(state.get("norm.weight")!.values, toFloats(EXPECTED.get("norm.weight")!));
  assertEquals(state.has("cls_head.weight"), false);
});

Deno.test("readTensors() asks which of two models is meant, and takes the one that is named", () => {
  assertThrows(() => readTensors(`${FOLDER}two.pt`), WeightsError, "several models");
  assertEquals(readTensors(`${FOLDER}two.pt`, "teacher").tensors.size, EXPECTED.size);
});

Deno.test("readTensors() reads parameters that were saved as such", () => {
  assertEquals(readTensors(`${FOLDER}parameters.pt`).tensors.get("cls_head.weight")!.shape, [2, 8]);
});

for (
  const [name, message] of Object.entries({
    "legacy.pt": "format from before version 1.6",
    "module.pt": "names reference_model.L2ViT",
    "command.pt": "names posix.system",
  })
) {
  Deno.test(`readTensors() refuses ${name} in one line`, () => {
    const error = assertThrows(() => readTensors(FOLDER + name), WeightsError, message);
    assertEquals(error.message.split("\n").length, 1);
    assertStringIncludes(error.message, name);
  });
}

const text = (value: string) => new TextEncoder().encode(value);

/** A pickle from its opcodes: text as it is, numbers as bytes. */
function pickle(...parts: (string | number)[]): Uint8Array {
  return Uint8Array.from([0x80, 2, ...parts.flatMap((part) => typeof part === "number" ? [part] : [...text(part)]), 0x2e]);
}

const string = (value: string) => ["X", value.length, 0, 0, 0, value];
const int = (value: number) => ["J", ...new Uint8Array(Int32Array.of(value).buffer)];

/** Opcodes of a tensor of floats over storage "0". */
function tensor(shape: number[], stride: number[], offset = 0): (string | number)[] {
  const tuple = (numbers: number[]) => ["(", ...numbers.flatMap(int), "t"];
  const storage = ["(", ...string("storage"), "ctorch\nFloatStorage\n", ...string("0"), ...string("cpu"), ...int(4), "tQ"];
  return ["ctorch._utils\n_rebuild_tensor_v2\n(", ...storage, ...int(offset), ...tuple(shape), ...tuple(stride), 0x89, "}tR"];
}

/** Opcodes of NumPy's type of doubles, and of one of them from the characters of its bytes. */
const float64 = (order = "<") => {
  const dtype = ["cnumpy\ndtype\n", ...string("f8"), 0x85, "R"];
  return [...dtype, "(", ...int(3), ...string(order), "tb"];
};
const numpy = (bytes: string) => {
  const encoded = ["c_codecs\nencode\n", ...string(bytes), ...string("latin1"), 0x86, "R"];
  return ["cnumpy.core.multiarray\nscalar\n", ...float64(), ...encoded, 0x86, "R"];
};

/** A checkpoint with one storage of four floats. */
function checkpoint(program: Uint8Array, change: Partial<ZipChange> = {}): Uint8Array {
  return zipOf({ "a/data.pkl": program, "a/data/0": new Uint8Array(16) }, change);
}

Deno.test("decodeTorch() reads a checkpoint that was put together by hand", () => {
  const { tensors } = decodeTorch(checkpoint(pickle("}", ...string("x"), ...tensor([2, 2], [2, 1]), "s")));
  assertEquals([...tensors].map(([name, { shape }]) => [name, shape]), [["x", [2, 2]]]);
});

const one = (...shape: Parameters<typeof tensor>) => checkpoint(pickle("}", ...string("x"), ...tensor(...shape), "s"));
const plain = pickle("}", ...string("x"), ...tensor([4], [1]), "s");
const BROKEN: Readonly<Record<string, [file: Uint8Array, message: string]>> = {
  "a tensor beyond its storage": [one([2, 2], [2, 1], 1), "does not fit its storage"],
  "a tensor of 2^62 numbers": [one([2 ** 31 - 1, 2 ** 31 - 1], [0, 0]), "does not fit its storage"],
  "a tensor that repeats one number": [one([2 ** 31 - 1], [0]), "does not fit its storage"],
  "a tensor with a negative stride": [one([2], [-1], 1), "without storage, shape or stride"],
  "many copies of one storage": [
    zipOf({
      "a/data/0": new Uint8Array(4096),
      "a/data.pkl": pickle(
        ...tensor([1024], [1]),
        ...["q", 0, "0", "}"],
        ...Array.from({ length: 60 }, (_, i) => [...string(String.fromCharCode(48 + i)), "h", 0, "s"]).flat(),
      ),
    }),
    "many times the bytes of the file",
  ],
  "an opcode that imports by a code of its own": [checkpoint(pickle(0x82, 1)), "opcode 0x82"],
  "a pickle that is cut": [checkpoint(plain.subarray(0, 20)), "the pickle is cut"],
  "text longer than the pickle": [checkpoint(pickle("X", 255, 255, 255, 127)), "the pickle is cut"],
  "an eval": [checkpoint(pickle("c__builtin__\neval\n(", ...string("1"), "tR")), "names __builtin__.eval"],
  "a call of what is no function": [checkpoint(pickle("}(tR")), "calls what is no function"],
  "a mark in the place of a name": [checkpoint(pickle(...string("torch"), "(", 0x93)), "takes a mark for a value"],
  "a dict in the place of a name": [checkpoint(pickle(...string("torch"), "}", 0x93)), "imports what has no name"],
  "a NumPy type that is no number's": [
    checkpoint(pickle("cnumpy\ndtype\n", ...string("O"), 0x85, "R")),
    "NumPy type that is not known",
  ],
  "a big-endian NumPy type": [checkpoint(pickle(...float64(">"))), "not little-endian"],
  "a NumPy number of other bytes": [checkpoint(pickle(...numpy("abc"))), "scalar as NumPy does not"],
  "bytes in another code": [
    checkpoint(pickle("c_codecs\nencode\n", ...string("x"), ...string("rot13"), 0x86, "R")),
    "as NumPy does not",
  ],
  "attributes of a list": [checkpoint(pickle("]}b")), "sets attributes of what is no dict"],
  "a storage that is missing": [zipOf({ "a/data.pkl": plain }), 'storage "0" is missing'],
  "a storage whose bytes have changed": [checkpoint(plain, { damage: "a/data/0" }), "checksum"],
  "storages that share bytes": [checkpoint(plain, { overlap: true }), "overlap"],
  "a compressed storage": [checkpoint(plain, { method: 8 }), "compressed"],
  "an archive without a pickle": [zipOf({ "a/version": text("3") }), "no data.pkl"],
  "big-endian numbers": [zipOf({ "a/data.pkl": plain, "a/byteorder": text("big") }), "big-endian"],
  "a cut archive": [checkpoint(plain).subarray(0, -30), "no end"],
};

for (const [what, [file, message]] of Object.entries(BROKEN)) {
  Deno.test(`decodeTorch() refuses ${what}`, () => {
    const error = assertThrows(() => decodeTorch(file), TorchError, message);
    assertEquals(error.message.split("\n").length, 1);
  });
}

Deno.test("decodeTorch() finds numbers beside the tensors, NumPy's own among them", () => {
  const bytes = String.fromCharCode(...new Uint8Array(Float64Array.of(42).buffer).map((byte) => byte & 127));
  const dict = pickle("}", ...string("mean"), ...numpy(bytes), "s", ...string("n"), ...int(7), "s");
  assertEquals([...decodeTorch(checkpoint(dict)).numbers], [["mean", 42], ["n", 7]]);
});

Deno.test("readWeights() takes mean and deviation of the mass and the curves from a training file", () => {
  const { massMean, massStd, history, state } = readWeights(`${FOLDER}notebook.pt`);
  assertEquals([massMean, massStd], [142.53, 51.25]);
  assertEquals(history, { train_loss: [1, 0.5], val_loss: [1.1, 0.6], train_acc: [0.7, 0.8] });
  assertEquals(state.size, readWeights(`${FOLDER}model.pt`).state.size);
});

Deno.test("decodeTorch() of a dict that contains itself ends, and finds its tensors once", () => {
  const self = pickle("}", 0x71, 0, ...string("me"), "h", 0, "s", ...string("x"), ...tensor([4], [1]), "s");
  assertEquals([...decodeTorch(checkpoint(self)).tensors.keys()], ["x"]);
});
