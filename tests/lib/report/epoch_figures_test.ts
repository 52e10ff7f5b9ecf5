import { assert, assertEquals } from "@std/assert";
import { TestResults } from "../../../lib/eval/test_results.ts";
import { epochFigures } from "../../../lib/report/epoch_figures.ts";
import { FRAME } from "../../../lib/report/raster.ts";
import { decodePng } from "../../support/png.ts";

/** Images of class 1 where the score is above a half, with masses from 50 GeV on that are predicted so much too high. */
function results(change: { readonly error?: number; readonly label?: number; readonly mass?: number } = {}): TestResults {
  const results = new TestResults(2, 100);
  for (let i = 0; i < 100; i++) {
    const score = (i + 0.5) / 100, mass = change.mass ?? 50 + i;
    const prediction = { class: score > 0.5 ? 1 : 0, probabilities: [1 - score, score], targets: [mass + (change.error ?? 0)] };
    results.add(prediction, change.label ?? prediction.class, [mass]);
  }
  return results;
}

/** Share of the coloured pixels that lie above the diagonal of the frame. */
async function shareAbove(results: TestResults, name: string): Promise<number> {
  const { png } = (await epochFigures(results)).find((picture) => picture.name === name)!;
  const { width, pixels, palette } = decodePng(png);
  const coloured = Array.from(pixels.entries()).filter(([, colour]) => {
    const [red, , blue] = palette[colour]!;
    return Math.abs(red - blue) > 60;
  });
  assert(coloured.length > 50);
  const above = coloured.filter(([at]) => FRAME.side - (Math.floor(at / width) - FRAME.top) > at % width - FRAME.left + 2);
  return above.length / coloured.length;
}

Deno.test("epochFigures() draws a ROC curve above the diagonal for a model that knows, and below for one that is wrong", async () => {
  assert(await shareAbove(results(), "validation ROC") > 0.95);
  const wrong = results();
  wrong.labels.forEach((label, i) => wrong.labels[i] = 1 - label);
  assert(await shareAbove(wrong, "validation ROC") < 0.05);
});

Deno.test("epochFigures() draws masses above the diagonal that are predicted too high, and below those that are too low", async () => {
  assert(await shareAbove(results({ error: 30 }), "validation mass") > 0.95);
  assert(await shareAbove(results({ error: -30 }), "validation mass") < 0.05);
});

Deno.test("epochFigures() draws no ROC curve of one class, and no masses where none are known", async () => {
  assertEquals((await epochFigures(results({ label: 0 }))).map(({ name }) => name), ["validation mass"]);
  assertEquals((await epochFigures(results({ mass: NaN }))).map(({ name }) => name), ["validation ROC"]);
});
