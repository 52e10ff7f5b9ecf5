/** @file Folders of Hugging Face's save_pretrained(): weights, and what config.json beside them says. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readWeights } from "../../../lib/disk/weight_files.ts";
import { WeightsError } from "../../../lib/weights/weights.ts";
import { temporaryFolder } from "../../support/files.ts";

const FOLDER = new URL("../../fixtures/pretrained/", import.meta.url).pathname;
const SIZES = { embed_dim: 8, depth: 1, num_heads: 2 };

/** What is read of the fixture's weights beside a configuration. */
function read(config: string | undefined, name = "model.safetensors") {
  using folder = temporaryFolder();
  Deno.copyFileSync(`${FOLDER}model.safetensors`, `${folder.path}/${name}`);
  if (config !== undefined) Deno.writeTextFileSync(`${folder.path}/config.json`, config);
  const { model: { img_size, denominator_floor }, targets: [mass], normScale, assumed } = readWeights(`${folder.path}/${name}`);
  return { img_size, denominator_floor, mass: [mass!.mean, mass!.std], normScale, assumed };
}

describe("readWeights() of a folder of save_pretrained()", () => {
  it("takes tensors under the name of the model's own module, and the numbers of config.json", () => {
    const { model, targets: [mass], normScale, assumed, state } = readWeights(`${FOLDER}model.safetensors`);
    assertEquals([model.img_size, model.denominator_floor, model.num_classes, model.mlp_ratio], [7, 0.5, 3, 2]);
    assertEquals([mass!.mean, mass!.std, normScale], [142.5, 51.25, 128]);
    assertEquals(assumed, []);
    assertEquals(state.get("cls_head.weight")!.shape, [3, 8]);
  });
  it("assumes what it assumes of others where there is no config.json", () => {
    assertEquals(read(undefined).assumed.length, 5);
  });
  it("takes no config.json beside weights of another name", () => {
    assertEquals(read('{"img_size":7}', "best.safetensors").assumed.length, 5);
  });
  it("finds numbers at the top, and in dicts of any name", () => {
    assertEquals(read('{"img_size":8,"denominator_floor":2}').assumed, ["mass_mean", "mass_std", "data.norm_scale"]);
    const nested = read('{"data":{"norm_scale":1,"mass":{"mean":100,"std":"30"}},"arch":{"vit":{"denominator_floor":[3]}}}');
    assertEquals([nested.normScale, ...nested.mass, nested.denominator_floor], [1, 100, 30, 3]);
  });
  it("takes null and other keys for nothing said", () => {
    assertEquals(read('{"mass_mean":null,"license":"mit","tags":["a"],"layers":{"depth":{"a":1}}}').assumed.length, 5);
  });
  it("assumes what it does not clearly say", () => {
    for (const unclear of [{ denominator_floor: -1 }, { mass_mean: [1, 2] }, { a: { mass_std: 1 }, b: { mass_std: 2 } }]) {
      assertEquals(read(JSON.stringify(unclear)).assumed.length, 5);
    }
  });
  it("takes sizes that agree with the tensors", () => {
    assertEquals(read(JSON.stringify({ ...SIZES, decoder: { depth: 4 }, denominator_floor: 2 })).denominator_floor, 2);
  });
  for (
    const [what, config, why] of [
      ["of another model", { ...SIZES, embed_dim: 64 }, "another model's: embed_dim is 64 there, and 8 by the tensors"],
      ["of another model, in a dict", { cfg: { ...SIZES, num_heads: 4 } }, "another model's: cfg/num_heads is 4"],
    ] as const
  ) {
    it(`refuses a config.json ${what}`, () => {
      const error = assertThrows(() => read(JSON.stringify(config)), WeightsError, why);
      assertEquals(error.message.split("\n").length, 1);
    });
  }
  it("refuses a config.json that is cut, or no object", () => {
    for (const text of ["{", "", "[1]", "null"]) {
      assertThrows(() => read(text), WeightsError, "config.json beside it is no JSON object");
    }
  });
  it("reads the weights alone where config.json may not be read", async () => {
    const script = `import { readWeights } from "${new URL("../../../lib/disk/weight_files.ts", import.meta.url)}";
      console.log(readWeights("${FOLDER}model.safetensors").assumed.length);`;
    using folder = temporaryFolder();
    Deno.writeTextFileSync(`${folder.path}/read.ts`, script);
    const args = [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-check",
      `--allow-read=${FOLDER}model.safetensors`,
      `${folder.path}/read.ts`,
    ];
    const cwd = new URL("../../../", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: [...args.slice(0, 1), "--config=deno.json", ...args.slice(1)],
      cwd,
    }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), "5", new TextDecoder().decode(stderr));
  });
});
