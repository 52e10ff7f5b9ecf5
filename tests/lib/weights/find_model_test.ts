/** @file A model is found under whatever its program put before its names, in PyTorch's files and in safetensors alike. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeSafetensors, encodeSafetensors, type StoredTensor, toFloats } from "../../../lib/io/safetensors.ts";
import { readTensors, readWeights } from "../../../lib/disk/weight_files.ts";
import { WeightsError } from "../../../lib/weights/weights.ts";
import { temporaryFolder } from "../../support/files.ts";
import { checkpoint, dict, get, type Part, pickle, put, tensor, text } from "../../support/pickle.ts";

const FOLDER = new URL("../../fixtures/torch/", import.meta.url).pathname;
const { tensors: TENSORS } = decodeSafetensors(Deno.readFileSync(`${FOLDER}model.safetensors`));

/** Reads the fixture's tensors under other names. */
function readNamed(names: (name: string) => readonly string[], key?: string): ReadonlyMap<string, StoredTensor> {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.safetensors`;
  const tensors = new Map(
    [...TENSORS].flatMap(([name, value]) => names(name).map((other): [string, StoredTensor] => [other, value])),
  );
  Deno.writeFileSync(path, encodeSafetensors({ tensors, metadata: {} }));
  return readTensors(path, key).tensors;
}

/** Reads a checkpoint with one tensor at each of these places. */
function readPlaces(key: string | undefined, ...parts: Part[]): string[] {
  using folder = temporaryFolder();
  const path = `${folder.path}/x.pt`;
  Deno.writeFileSync(path, checkpoint(pickle(...parts)));
  return [...readTensors(path, key).tensors.keys()];
}

describe("readTensors() drops from names", () => {
  for (
    const prefix of [
      "module.",
      "_orig_mod.",
      "_orig_mod.module.",
      "model.",
      "module.backbone.",
      "net.encoder._orig_mod.",
      "_fsdp_wrapped_module.vit.",
      "anything.at.all.",
    ]
  ) it(prefix, () => assertEquals(readNamed((name) => [prefix + name]).size, TENSORS.size));
  it("wrappers of single blocks and layers", () => {
    const names = (name: string) => [
      name.replace("blocks.0.", "blocks.0._orig_mod._checkpoint_wrapped_module.").replace("embed.proj.", "embed.module.proj."),
    ];
    assertEquals([...readNamed(names).keys()].toSorted(), [...TENSORS.keys()].toSorted());
  });
});

describe("readTensors() of several models", () => {
  const both = (name: string) => [`student.module.${name}`, `teacher.${name}`];
  it("asks which is meant", () => {
    assertThrows(
      () => readNamed(both),
      WeightsError,
      "several models: student.module, teacher. Take one out with deno task convert --key",
    );
    assertThrows(() => readTensors(`${FOLDER}two.pt`), WeightsError, "several models: student, teacher");
  });
  for (const key of ["student", "student.module", "module", "teacher", "teacher."]) {
    it(`takes the one of the key ${key}`, () => assertEquals(readNamed(both, key).size, TENSORS.size));
  }
  it("takes the one without a prefix by a dot", () => {
    assertEquals(readNamed((name) => [name, `ema.${name}`], ".").has("norm.weight"), true);
  });
  it("says which there are if none has the key", () => {
    assertThrows(() => readNamed(both, "tutor"), WeightsError, 'no model under "tutor", but under student.module, teacher');
  });
  it("names a few of very many", () => {
    const many = (name: string) =>
      name.startsWith("patch_embed.proj.w") ? Array.from({ length: 500 }, (_, i) => `m${i}.${name}`) : [];
    assertThrows(() => readNamed(many), WeightsError, "m7, and 492 more");
  });
  it("takes an average out of a training file by the name of its dict", () => {
    const weight = (key: string) => toFloats(readTensors(`${FOLDER}ema.pt`, key).tensors.get("blocks.0.attn.qkv.weight")!);
    assertEquals(weight("state_dict"), toFloats(TENSORS.get("blocks.0.attn.qkv.weight")!));
    assertEquals(weight("state_dict_ema"), weight("state_dict").map((x) => x / 2));
  });
  it("takes a dict by either of its names", () => {
    const model = dict(text("patch_embed.proj.weight"), tensor([1], [1]));
    const parts = dict(text("last"), [model, put(1)], text("best"), get(1), text("old"), model);
    assertEquals(readPlaces("best", parts), ["patch_embed.proj.weight"]);
    assertThrows(() => readPlaces(undefined, parts), WeightsError, "several models: last, old");
  });
});

describe("readTensors() refuses", () => {
  it("two tensors of one name", () => {
    const names = (name: string) => name === "norm.weight" ? ["module.norm.weight", "_orig_mod.norm.weight"] : [`module.${name}`];
    assertThrows(() => readNamed(names), WeightsError, 'two of its tensors are "norm.weight"');
  });
  it("other models, and says what there is instead", () => {
    assertThrows(() => readPlaces(undefined, dict(text("conv1.weight"), tensor([1], [1]))), WeightsError, 'such as "conv1.weight"');
    assertThrows(() => readPlaces(undefined, "}"), WeightsError, "no tensor at all");
  });
});

it("readWeights() takes a backbone alone, under a prefix and beside a projection head", () => {
  const { model, state } = readWeights(`${FOLDER}backbone.pt`);
  assertEquals([model.embed_dim, model.depth, model.img_size, model.num_classes], [8, 1, 6, 2]);
  assertEquals(state.get("norm.weight")!.values, toFloats(TENSORS.get("norm.weight")!));
  assertEquals(state.has("cls_head.weight"), false);
  const beside = (name: string) => name === "norm.bias" ? ["backbone.norm.bias", "projection.0.bias"] : [`backbone.${name}`];
  assertEquals([...readNamed(beside).keys()].toSorted(), [...TENSORS.keys()].toSorted());
});
