import { assert, assertEquals } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import type { ImagePrediction } from "../../../lib/eval/predict.ts";
import { drawReport } from "../../../lib/web/report.ts";
import type { Weights } from "../../../lib/weights/weights.ts";

Deno.test("drawReport() draws what labels alone, or masses alone, allow", async () => {
  const predictions = Array.from({ length: 40 }, (_, index): ImagePrediction => {
    const score = ((index * 7) % 40) / 40;
    return { index, logits: [0, score], probabilities: [1 - score, score], class: score > 0.5 ? 1 : 0, targets: [100 + index] };
  });
  const labels = Float64Array.from(predictions, ({ index }) => index % 2);
  const mass = Float64Array.from(predictions, ({ index }) => 90 + 1.5 * index);
  const weights = { model: { num_classes: 2 }, targets: [MASS], history: {}, path: "model.safetensors" } as unknown as Weights;
  const headings = async (labels?: Float64Array, mass?: Float64Array) => {
    const drawn = await drawReport(weights, predictions, labels, [mass], {});
    assert(!/NaN|undefined|Infinity/.test(drawn), "the figures hold something that is no number");
    return [...drawn.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, heading]) => heading!);
  };
  const [both, classes, masses] = [await headings(labels, mass), await headings(labels), await headings(undefined, mass)];
  assert(classes.includes("ROC and calibration") && !classes.some((heading) => /mass/i.test(heading)), classes.join());
  assert(masses.includes("Mass residuals") && !masses.some((heading) => /ROC|Confusion/.test(heading)), masses.join());
  assertEquals(new Set([...classes, ...masses]), new Set(both));
});
