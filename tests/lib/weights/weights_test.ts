/** @file What a weight file may hold, what it says, and what is assumed where it says nothing. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { MASS } from "../../../lib/data/targets.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor, toFloats } from "../../../lib/io/safetensors.ts";
import { readWeights } from "../../../lib/disk/weight_files.ts";
import { encodeWeights, WeightsError, weightsOf } from "../../../lib/weights/weights.ts";
import { decodeInfo, describeAssumed, describeUntrained, encodeInfo, NO_HEADS } from "../../../lib/weights/weights_info.ts";
import type { ModelConfig } from "../../../lib/nn/config.ts";
import { encodeOnnx } from "../../../lib/weights/onnx_model.ts";
import { temporaryFolder } from "../../support/files.ts";
import { infoOf, randomState, SMALL_MODEL } from "../../support/weights.ts";

const MODEL = new URL("../../fixtures/torch/model.safetensors", import.meta.url).pathname;
const { tensors: TENSORS } = decodeSafetensors(Deno.readFileSync(MODEL));

/** The fixture's tensors with one changed. */
function changed(name: string, change: (tensor: StoredTensor) => StoredTensor): Map<string, StoredTensor> {
  return new Map(TENSORS).set(name, change(TENSORS.get(name)!));
}

/** Another number at one place. */
function holding(value: number, at: number): (tensor: StoredTensor) => StoredTensor {
  return (tensor) => {
    const values = toFloats(tensor);
    values[at] = value;
    return { ...tensor, bytes: new Uint8Array(values.buffer) };
  };
}

const double = (factor: number) => (tensor: StoredTensor): StoredTensor => {
  return { ...tensor, dtype: "F64", bytes: new Uint8Array(Float64Array.from(toFloats(tensor), (x) => factor * x).buffer) };
};

describe("weightsOf()", () => {
  const refuses = (tensors: Map<string, StoredTensor>, why: string, metadata: Record<string, string> = {}) => {
    const error = assertThrows(() => weightsOf("x.pt", { tensors, metadata }), WeightsError, why);
    assertEquals(error.message.split("\n").length, 1);
  };

  it("refuses whole numbers and flags in place of weights", () => {
    const typed = (dtype: "I8" | "I64" | "BOOL", bytes: number) => (tensor: StoredTensor): StoredTensor => {
      return { ...tensor, dtype, bytes: new Uint8Array(bytes * tensor.shape.reduce((product, n) => product * n, 1)) };
    };
    refuses(changed("norm.bias", typed("I8", 1)), 'tensor "norm.bias" holds numbers of type I8, and weights are floats');
    refuses(changed("cls_head.weight", typed("I64", 8)), 'tensor "cls_head.weight" holds numbers of type I64');
    refuses(changed("norm.weight", typed("BOOL", 1)), 'tensor "norm.weight" holds numbers of type BOOL');
  });

  it("refuses a negative variance", () => {
    const name = "blocks.0.lcm.bn.running_var";
    refuses(changed(name, holding(-1, 2)), `tensor "${name}" holds -1 at (2), and a variance is not negative`);
  });

  it("names the place of a NaN", () => {
    refuses(changed("cls_head.weight", holding(NaN, 11)), 'x.pt: tensor "cls_head.weight" holds NaN at (1, 3)');
  });
  it("names the place of an infinity", () => {
    refuses(changed("norm.bias", holding(-Infinity, 2)), 'tensor "norm.bias" holds -Infinity at (2)');
  });
  it("names a double that a 32-bit float does not hold", () => {
    refuses(changed("norm.weight", double(1e300)), "more than a 32-bit float holds");
  });
  it("takes doubles that it holds", () => {
    const { state } = weightsOf("x.pt", { tensors: changed("norm.weight", double(1)), metadata: {} });
    assertEquals(state.get("norm.weight")!.values, toFloats(TENSORS.get("norm.weight")!));
  });
  it("names a tensor that an L2ViT has no place for", () => {
    refuses(new Map(TENSORS).set("blocks.0.ls1.gamma", TENSORS.get("norm.bias")!), '"blocks.0.ls1.gamma" is no part of an L2ViT');
  });
  it("names a tensor that is missing in the middle", () => {
    const tensors = new Map(TENSORS);
    tensors.delete("blocks.0.lcm.bn.running_var");
    refuses(tensors, '"blocks.0.lcm.bn.running_var" is missing');
  });
  it("refuses a model of absurd sizes, without making one", () => {
    const wide = changed("patch_embed.proj.weight", (tensor) => ({ ...tensor, shape: [2 ** 40, 2, 3, 3] }));
    refuses(wide, 'tensor "patch_embed.proj.bias" has shape (8), and the model needs (1099511627776)');
  });
  it("leaves out what belongs to no L2ViT, even a NaN in it", () => {
    const tensors = new Map(TENSORS).set("projection.0.bias", holding(NaN, 0)(TENSORS.get("norm.bias")!));
    assertEquals(weightsOf("x.pt", { tensors, metadata: {} }).state.has("projection.0.bias"), false);
  });
  for (
    const [metadata, why] of [
      [{ mass_mean: "heavy" }, "mass_mean = heavy, which must be a number"],
      [{ mass_mean: "1e300" }, "mass_mean = 1e300, which must be at most 1e15"],
      [{ mass_mean: "[-1e16]" }, "mass_mean = [-1e16], which must be at least -1e15"],
      [{ mass_std: "0" }, "mass_std = 0, which must be at least 1e-30"],
      [{ mass_std: "1e30" }, "mass_std = 1e30, which must be at most 1e15"],
      [{ norm_scale: "-255" }, "norm_scale = -255, which must be at least 1e-30"],
      [{ norm_scale: "1e300" }, "norm_scale = 1e300, which must be at most"],
      [{ model: "{" }, "no configuration under model"],
      [{ model: '{"denominator_floor":"low"}' }, 'model.denominator_floor = "low", which must be a number'],
      [{ model: '{"img_size":6.5}' }, "model.img_size = 6.5, which must be a whole number"],
      [{ history: '{"loss":[1,"x"]}' }, "no training curves"],
    ] as const
  ) it(`refuses metadata that say ${JSON.stringify(metadata)}`, () => refuses(TENSORS, why, metadata));
});

it("encodeWeights() writes what readWeights() has read, and counts batches for PyTorch", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/copy.safetensors`, weights = readWeights(MODEL);
  const bytes = encodeWeights(weights, 3);
  Deno.writeFileSync(path, bytes);
  assertEquals(readWeights(path), { ...weights, path });
  const { tensors } = decodeSafetensors(bytes);
  assertEquals(tensors.get("blocks.0.lcm.bn.num_batches_tracked")!.bytes[0], 3);
});

describe("what a file does not say", () => {
  const shapes = new Map([...TENSORS].map(([name, { shape }]) => [name, shape]));

  it("is assumed, and said", () => {
    assertEquals(
      describeAssumed(readWeights(MODEL)),
      `Assumed, since ${MODEL} does not clearly say: mass_mean 0, mass_std 1, data.norm_scale 255, model.img_size 6, ` +
        "model.denominator_floor 100; masses are in units of the training masses' deviation, not in GeV",
    );
  });
  it("is not written", () => {
    const metadata = { mass_mean: "142.5", model: JSON.stringify({ denominator_floor: 1 }) };
    const info = decodeInfo(metadata, shapes);
    assertEquals(info.assumed, ["mass_std", "data.norm_scale", "model.img_size"]);
    assertEquals(decodeInfo(encodeInfo(info), shapes), info);
  });
  it("does not include what it does say, in words of Python too", () => {
    const { targets: [mass], assumed } = decodeInfo({ mass_mean: "[142.5]", mass_std: "(51.0,)", norm_scale: "None" }, shapes);
    assertEquals([mass!.mean, mass!.std], [142.5, 51]);
    assertEquals(assumed, ["data.norm_scale", "model.img_size", "model.denominator_floor"]);
  });
  it("includes an image size that does not fit the tokens", () => {
    assertEquals(decodeInfo({ model: '{"img_size":7}' }, shapes).model.img_size, 7);
    assertEquals(decodeInfo({ model: '{"img_size":224}' }, shapes).assumed.includes("model.img_size"), true);
  });
});

describe("curves", () => {
  it("keep their place where a loss was not finite", () => {
    const curves = '{"a":[1,NaN,0.5],"NaN":[Infinity,-Infinity,null]}';
    const { history } = weightsOf("x.pt", { tensors: TENSORS, metadata: { history: curves } });
    assertEquals(history, { a: [1, NaN, 0.5], NaN: [NaN, NaN, NaN] });
  });
  it("survive writing", () => {
    const info = weightsOf("x.pt", { tensors: TENSORS, metadata: { history: '{"a":[1,NaN]}' } });
    const written = decodeSafetensors(encodeSafetensors({ tensors: TENSORS, metadata: encodeInfo(info) }));
    assertEquals(weightsOf("y.pt", written).history, info.history);
  });
});

describe("describeUntrained()", () => {
  const { state: _, ...known } = weightsOf("x.pt", { tensors: TENSORS, metadata: {} });
  const shapes = new Map([...TENSORS].map(([name, { shape }]) => [name, shape]));
  const again = (untrained: typeof known.untrained) => decodeInfo(encodeInfo({ ...known, untrained }), shapes).untrained;

  it("names the head that took no part, also when its file is read again", () => {
    assertEquals(again(["masses"]), ["masses"]);
    const line = describeUntrained({ path: "a.safetensors", targets: [MASS], untrained: again(["classes"]) });
    assertEquals(line, "a.safetensors was trained without classes (training.lambda_cls was 0): those that it predicts say nothing");
  });
  it("is silent where both did, and about weights that others trained", () => {
    assertEquals([again([]), known.untrained, describeUntrained({ path: "a", targets: [MASS], untrained: [] })], [
      [],
      [],
      undefined,
    ]);
  });
  it("knows a backbone by what it was trained on", () => {
    const data = { path: "u.h5", keys: {}, images: 9, fingerprint: "0", split: "random", seed: 1, train: 8, val: 1, test: 0 };
    const trained = (labels: string | null) => ({ trained_on: JSON.stringify([{ ...data, labels }]) });
    assertEquals(decodeInfo(trained(null), shapes).untrained, NO_HEADS.untrained);
    assertEquals(decodeInfo(trained("1"), shapes).untrained, []);
  });
});

Deno.test("encodeOnnx() refuses a model of active tokens", () => {
  const model: ModelConfig = { ...SMALL_MODEL, tokens: "active" };
  const weights = { ...infoOf(model), path: "w.safetensors", state: randomState(model, 1) };
  assertThrows(() => encodeOnnx(weights, "channels-last", ""), WeightsError, "w.safetensors: it computes active tokens alone");
});
