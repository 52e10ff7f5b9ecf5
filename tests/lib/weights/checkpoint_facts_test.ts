/** @file Numbers that people keep beside a model are found in whatever form, and no number is taken that may be another's. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeTorch } from "../../../lib/io/torch.ts";
import { factsOf } from "../../../lib/weights/checkpoint_facts.ts";
import { readWeights } from "../../../lib/disk/weight_files.ts";
import {
  call,
  checkpoint,
  dict,
  float,
  get,
  int,
  list,
  type Part,
  pickle,
  put,
  tensor,
  text,
  tuple,
} from "../../support/pickle.ts";

const FOLDER = new URL("../../fixtures/torch/", import.meta.url).pathname;
const MODEL = { prefix: "model/", others: [] };

/** What a dict of these keys and values says. */
function facts(pairs: Readonly<Record<string, Part>>, model: Parameters<typeof factsOf>[1] = MODEL): Record<string, string> {
  const entries = Object.entries(pairs).flatMap(([key, value]) => [text(key), value]);
  return factsOf(decodeTorch(checkpoint(pickle(dict(...entries)))), model);
}

describe("factsOf() knows a mean of the mass", () => {
  const forms: Readonly<Record<string, Part>> = {
    "a number": int(2),
    "text": text("2"),
    "a tensor without axes": tensor([], [], 1),
    "a tensor of one element": tensor([1, 1], [1, 1], 1),
    "a list of one number": list(int(2)),
    "a tuple of a list of a tensor": tuple(list(tensor([1], [1], 1))),
  };
  for (const [what, value] of Object.entries(forms)) {
    it(`as ${what}`, () => assertEquals(Number(facts({ mass_mean: value })["mass_mean"]), 2));
  }
  const two = dict(text("mean"), int(2), text("std"), int(3));
  const places: Readonly<Record<string, Readonly<Record<string, Part>>>> = {
    "statistics": { stats: dict(text("mass_mean"), int(2)) },
    "statistics of the mass": { mass_stats: two, pt_stats: dict(text("mean"), int(9)) },
    "a configuration": { config: dict(text("data"), dict(text("mass"), two)) },
    "attributes of an object": { args: [call("argparse.Namespace"), dict(text("mass_mean"), int(2)), "b"] },
    "the model's buffers": { model: dict(text("module.mass_mean"), int(2)) },
  };
  for (const [what, pairs] of Object.entries(places)) {
    it(`in ${what}`, () => assertEquals(facts(pairs)["mass_mean"], "2"));
  }
});

describe("factsOf() takes of several", () => {
  const other = (value: number) => dict(text("mass_mean"), int(value));
  it("the outermost", () => assertEquals(facts({ old: dict(text("run"), other(1)), stats: other(2) })["mass_mean"], "2"));
  it("the one beside the model", () => {
    const pairs = { a: dict(text("model"), "}", text("mass_mean"), int(1)), b: dict(text("mass_mean"), int(2)) };
    assertEquals(facts(pairs, { prefix: "b/model/", others: ["a/model/"] })["mass_mean"], "2");
  });
  it("none that is another model's", () => {
    assertEquals(facts({ a: other(1), b: "}" }, { prefix: "b/model/", others: ["a/model/"] }), {});
  });
  it("any if they are the same", () => assertEquals(facts({ a: other(2), b: other(2) })["mass_mean"], "2"));
  it("none that are as near and differ", () => assertEquals(facts({ a: other(1), b: other(2) }), {}));
});

describe("factsOf()", () => {
  it("passes over None", () => assertEquals(facts({ mass_mean: "N", norm_scale: "N" }), {}));
  it("passes over what is no single number, or none that may be", () => {
    for (
      const value of [list(int(1), int(2)), text("heavy"), call("decimal.Decimal", text("1.5")), 0x88, tensor([2], [1]), int(0)]
    ) {
      assertEquals(facts({ mass_std: value, norm_scale: float(NaN) }), {});
    }
  });
  it("ends on a list of itself", () => assertEquals(facts({ mass_mean: ["]", put(0), get(0), "a"] }), {}));
  it("finds what a configuration says of the model", () => {
    const config = dict(text("img_size"), tuple(int(125), int(125)), text("denominator_floor"), float(1e-6));
    assertEquals(facts({ config, args: dict(text("norm_scale"), float(255)) }), {
      norm_scale: "255",
      model: '{"img_size":125,"denominator_floor":0.000001}',
    });
  });
  it("passes over an image size that is not square", () => assertEquals(facts({ img_size: tuple(int(5), int(6)) }), {}));
  it("keeps curves of numbers, tensors and None, and their places", () => {
    const history = dict(
      ...[text("a"), list(float(NaN), int(2), "N", tensor([1], [1]))],
      ...[text("b"), tensor([4], [1]), text("c"), list(text("x")), text("d"), list(), text("e"), int(3)],
    );
    assertEquals(facts({ history }), { history: '{"a":[null,2,null,1],"b":[1,2,3,4]}' });
  });
});

for (const name of ["beside.pt", "beside5.pt"]) {
  Deno.test(`readWeights() finds what ${name} says, in forms of NumPy and PyTorch`, () => {
    const { targets: [mass], normScale, history, assumed } = readWeights(FOLDER + name);
    assertEquals([mass!.mean, mass!.std, normScale], [142.5, 51.25, 1]);
    assertEquals(history, { loss: [1, NaN], acc: [0.5, 0.75] });
    assertEquals(assumed, ["model.img_size", "model.denominator_floor"]);
  });
}

Deno.test("readWeights() takes mean and deviation of the mass and the curves from a training file", () => {
  const { targets: [mass], history, state } = readWeights(`${FOLDER}notebook.pt`);
  assertEquals([mass!.mean, mass!.std], [142.53, 51.25]);
  assertEquals(history, { train_loss: [1, 0.5], val_loss: [1.1, 0.6], train_acc: [0.7, 0.8] });
  assertEquals(state.size, readWeights(`${FOLDER}model.pt`).state.size);
});
