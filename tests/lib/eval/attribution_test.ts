/** @file Explanations against PyTorch, and against what happens when values are taken away. */

import { assertEquals } from "@std/assert";
import { PackedImages } from "../../../lib/data/packed.ts";
import { Explainer } from "../../../lib/eval/attribution.ts";
import { predictImages } from "../../../lib/eval/predict.ts";
import { assertClose, CASES, type WeightsCase, weightsCase } from "../../support/fixtures.ts";
import { gpuTest } from "../../support/gpu.ts";

const EXPECTED = JSON.parse(Deno.readTextFileSync(new URL("../../fixtures/explain/explanations.json", import.meta.url)));

function caseOf(name: string): WeightsCase {
  const { weights, ...rest } = weightsCase(name);
  return { weights: { ...weights, targets: weights.targets.map((target) => ({ ...target, std: EXPECTED.mass_std })) }, ...rest };
}

for (const name of CASES) {
  gpuTest(`Explainer has PyTorch's gradients in evaluation mode and its attention (${name})`, async (gpu) => {
    const { weights, pixels, size } = caseOf(name);
    const expected = EXPECTED.cases[name];
    using explainer = new Explainer(gpu, weights, { images: PackedImages.fromDense(pixels, size) });
    const { toClass, toTargets: [toMass], attention, prediction } = await explainer.explain(EXPECTED.image, EXPECTED.explained);
    assertClose(toClass, expected.to_class, "contributions to the class");
    assertClose(toMass!, expected.to_mass, "contributions to the mass");
    attention.forEach((received, i) => assertClose(received, expected.attention[i], `attention received in block ${i}`));
    assertEquals(attention.length, weights.model.depth);
    const images = { images: PackedImages.fromDense(pixels, size) };
    const [predicted] = await Array.fromAsync(predictImages(gpu, weights, images, [EXPECTED.image], 1));
    assertEquals([prediction.index, prediction.class], [predicted!.index, predicted!.class]);
    // one embeds patches, the other may embed their non-zeros alone
    assertClose([...prediction.logits, ...prediction.targets], [...predicted!.logits, ...predicted!.targets], "prediction", 1e-6);
  });
}

gpuTest("a contribution is what the mass loses when a value shrinks by a small part", async (gpu) => {
  const { weights, pixels, size } = caseOf("tiny");
  using explainer = new Explainer(gpu, weights, { images: PackedImages.fromDense(pixels, size) });
  const { toTargets, values } = await explainer.explain(0), toMass = toTargets[0]!;
  const strongest = toMass.reduce((best, value, i) => Math.abs(value) > Math.abs(toMass[best]!) ? i : best, 0);
  assertEquals(values[strongest], pixels[strongest]);
  const part = 0.01;
  const masses = await Promise.all([1 - part, 1 + part].map(async (factor) => {
    const changed = pixels.with(strongest, pixels[strongest]! * factor);
    const data = { images: PackedImages.fromDense(changed, size) };
    const [prediction] = await Array.fromAsync(predictImages(gpu, weights, data, [0], 1));
    return prediction!.targets[0]!;
  }));
  assertClose([(masses[1]! - masses[0]!) / (2 * part)], [toMass[strongest]!], "loss of mass", 2e-3);
});
