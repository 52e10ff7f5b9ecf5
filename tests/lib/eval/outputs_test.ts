/** @file What leaves a model is checked, and comes piece by piece. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { PackedImages } from "../../../lib/data/packed.ts";
import { Explainer } from "../../../lib/eval/attribution.ts";
import { predictImages } from "../../../lib/eval/predict.ts";
import { checkOutputs, OutputError } from "../../../lib/eval/outputs.ts";
import { weightsCase } from "../../support/fixtures.ts";
import { gpuTest } from "../../support/gpu.ts";

Deno.test("checkOutputs() names weights, output and image of the first number that is none", () => {
  const images = [17, 3];
  const columns: Record<string, string[]> = { targets: ["mass"] };
  checkOutputs("a.pt", "logits", [1e7, -1e7, 0, 5e-324], images);
  for (
    const [name, values, says] of [
      ["logits", [1, 2, NaN, 3], "a.pt: logit 0 of image 3 is NaN."],
      ["logits", [1, -Infinity, NaN, 3], "a.pt: logit 1 of image 17 is -Infinity."],
      ["logits", [1, 2, 3, 1e30], "a.pt: logit 1 of image 3 is 1e+30: it is finite, but"],
      ["targets", [1, Infinity], "a.pt: mass of image 3 is Infinity."],
      [
        "targets",
        [-3e15, 1],
        "a.pt: mass of image 17 is -3000000000000000: that is no mass in any unit. Check that data.norm_scale, ",
      ],
      ["features", [1, 2, 3, 4, NaN, 6], "a.pt: feature 1 of image 3 is NaN."],
    ] as const
  ) assertThrows(() => checkOutputs("a.pt", name, values, images, columns[name]), OutputError, says);
});

/** The tiny model with one of its tensors changed. */
function changed(name: string, change: (value: number) => number) {
  const { weights, pixels, size } = weightsCase("tiny");
  const { shape, values } = weights.state.get(name)!;
  const state = new Map(weights.state).set(name, { shape, values: values.map(change) });
  return { weights: { ...weights, state }, data: { images: PackedImages.fromDense(pixels, size) } };
}

gpuTest("predictImages() and Explainer refuse what is no prediction, and name it", async (gpu) => {
  for (
    const [tensor, change, says] of [
      ["cls_head.weight", () => 3e38, "logit"],
      ["cls_head.bias", () => 1e30, "logit 0 of image 1 is 1e+30: it is finite"],
      ["reg_head.weight", (value: number) => 3e38 * Math.sign(value), "mass of image 1"],
      ["patch_embed.norm.weight", () => 1e38, "of image 1 is NaN"],
    ] as const
  ) {
    const { weights, data } = changed(tensor, change);
    await assertRejects(() => Array.fromAsync(predictImages(gpu, weights, data, [1, 0], 2)), OutputError, says);
    using explainer = new Explainer(gpu, weights, data);
    await assertRejects(() => explainer.explain(1), OutputError, says);
  }
});

gpuTest("predictImages() gives thousands of predictions in the order asked for, a piece at a time", async (gpu) => {
  const { weights, data } = changed("cls_head.bias", (value) => value);
  const [first, second] = await Array.fromAsync(predictImages(gpu, weights, data, [0, 1], 2));
  const wanted = Array.from({ length: 5000 }, (_, i) => i % 7 === 0 ? 1 : 0);
  const progress: number[] = [];
  let given = 0, ahead = 0;
  for await (const prediction of predictImages(gpu, weights, data, wanted, 50, { progress: (done) => progress.push(done) })) {
    assertEquals(prediction, wanted[given] === 1 ? second : first);
    ahead = Math.max(ahead, (progress.at(-1) ?? 0) - given++);
  }
  assertEquals([given, progress.at(-1)], [5000, 5000]);
  assert(ahead < 5000, "all were computed before the first was given");
});
