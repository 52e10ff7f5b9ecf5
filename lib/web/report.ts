/** @file Measures and figures of a report as markup, by the code that draws report.html. */

import type { ImagePrediction } from "../eval/predict.ts";
import { summarise } from "../eval/summary.ts";
import { TestResults } from "../eval/test_results.ts";
import type { WorkOptions } from "../interrupted.ts";
import { drawSections } from "../report/sections.ts";
import { curveFigures } from "../report/sections/training_curves.ts";
import { element, escapeText, type Figure, figureElement } from "../report/svg.ts";
import { measureRows } from "../report/words.ts";
import type { Weights } from "../weights/weights.ts";

/** Of the bootstrap, as in deno task eval. */
const SEED = 42;
const NAME = "this model";

/** Measures with their intervals, then every figure that the events allow; labels or masses may be missing. */
export async function drawReport(
  { model, history, path, targets }: Weights,
  predictions: readonly ImagePrediction[],
  labels: Float64Array | undefined,
  truth: readonly (Float64Array | undefined)[],
  options: WorkOptions,
): Promise<string> {
  const results = new TestResults(model.num_classes, predictions.length, targets);
  for (const prediction of predictions) {
    const { index } = prediction;
    results.add(prediction, labels?.[index] ?? NaN, truth.map((values) => values?.[index] ?? NaN));
  }
  const summary = (await summarise(new Map([[NAME, results]]), SEED, options)).models.get(NAME)!;
  const sections = drawSections(
    [{ name: NAME, results, summary, history, weights: path, seen: { labelled: 0, unlabelled: 0 } }],
    targets,
  );
  const rows = measureRows([summary], targets).map(({ label, cells: [cell] }) =>
    element("tr", {}, element("th", {}, escapeText(label)), element("td", {}, cell!.value), element("td", {}, cell!.interval))
  );
  const parts = sections.map(({ heading, caption, figures }) => {
    const grid = element("div", { class: "figures" }, drawn(figures));
    return element("section", {}, element("h2", {}, escapeText(heading)), element("p", {}, escapeText(caption)), grid);
  });
  return element("table", { class: "measures" }, ...rows) + parts.join("");
}

/** Training curves so far. */
export function drawCurves(history: Readonly<Record<string, readonly number[]>>): string {
  return drawn(curveFigures([{ name: "this run", history }]));
}

function drawn(figures: readonly Figure[]): string {
  return figures.map((figure) => element("figure", {}, figureElement(figure))).join("");
}
