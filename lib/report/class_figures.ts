/** @file Figures of the classification: confusion, ROC curves, scores, calibration. */

import { binOf, calibration, type Judged, rocCurve, type RocPoint } from "../eval/measures.ts";
import type { ModelSummary, Summary } from "../eval/summary.ts";
import { formatReal, NOT_DEFINED } from "../format.ts";
import { Chart, type LegendEntry, series } from "./chart.ts";
import { element, escapeText, type Figure, label } from "./svg.ts";

/** Names of the classes of the published data, for two classes. */
export function className(c: number, classes: number): string {
  return classes === 2 ? ["QCD-like (0)", "top-like (1)"][c]! : `class ${c}`;
}

/** Legend of several models, with a number for each. */
export function legendOf(names: readonly string[], note: (name: string) => string = () => ""): LegendEntry[] {
  return names.map((name, i) => ({ text: name + note(name), ...series(i) }));
}

/**
 * A model's confusion matrix: rows are true classes, cells shares of the row.
 *
 * @param file part of the figure's name that stands for the model
 */
export function confusionFigure(file: string, name: string, { confusion, accuracy }: ModelSummary): Figure {
  const classes = confusion.length, cell = 300 / classes;
  const left = 110, top = 60;
  const cells = confusion.flatMap((row, truth) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count, predicted) => {
      const share = total === 0 ? 0 : count / total, text = total === 0 ? "no image" : percent(share);
      const x = left + predicted * cell, y = top + truth * cell;
      const tells = `true ${className(truth, classes)}, predicted ${
        className(predicted, classes)
      }: ${count} images, ${text} of the row`;
      const ink = share > 0.55 ? "var(--paper)" : "var(--ink)";
      const centred = { "text-anchor": "middle", style: `fill:${ink}` };
      return element("rect", { x, y, width: cell, height: cell, fill: "var(--panel)" }) +
        element(
          "rect",
          { x, y, width: cell, height: cell, fill: "var(--c0)", "fill-opacity": share },
          element("title", {}, escapeText(tells)),
        ) +
        label(x + cell / 2, y + cell / 2 - 2, text, { ...centred, "font-size": 18, "font-weight": 600 }) +
        label(x + cell / 2, y + cell / 2 + 18, `${count} images`, centred);
    });
  });
  const axes = confusion.map((_, c) => {
    return label(left + (c + 0.5) * cell, top + 318, className(c, classes), { "text-anchor": "middle" }) +
      label(left - 8, top + (c + 0.5) * cell + 4, className(c, classes), { "text-anchor": "end" });
  });
  const title = `${name}: accuracy ${accuracy === null ? NOT_DEFINED : percent(accuracy)}`;
  return {
    name: `confusion-${file}`,
    title,
    width: 460,
    height: 430,
    body: label(left, 24, title, { class: "title", "font-size": 14 }) +
      label(left, 46, "share of each true class", { class: "soft" }) +
      cells.join("") + axes.join("") + label(left + 150, top + 344, "predicted class", { "text-anchor": "middle" }) +
      label(0, 0, "true class", { "text-anchor": "middle", transform: `translate(18 ${top + 150}) rotate(-90)` }),
  };
}

/** Smallest step along an axis of the ROC curve that is drawn: a tenth of a pixel. */
const ROC_STEP = 1 / 4000;

/** ROC curves of all models. */
export function rocFigure(models: ReadonlyMap<string, Judged>, { models: summaries }: Summary): Figure {
  const chart = new Chart({
    title: "ROC curves",
    x: { label: "background efficiency (share of class 0 that passes)", domain: [0, 1] },
    y: { label: "signal efficiency (share of class 1)", domain: [0, 1] },
    legend: legendOf([...models.keys()], (name) => `: AUC ${formatReal(summaries.get(name)!.roc_auc, 4)}`),
    square: true,
  });
  chart.guide([0, 0], [1, 1]);
  [...models].forEach(([name, judged], i) => {
    const { colour, dash } = series(i);
    const { drawn, marked } = thinned(rocCurve(judged), [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]);
    chart.line(drawn.map(({ fpr, tpr }): [number, number] => [fpr, tpr]), { colour, dash });
    for (const { fpr, tpr, threshold } of marked) {
      const tells = `${name}: score at least ${threshold.toFixed(3)} keeps ${percent(tpr)} of class 1 and ${
        percent(fpr)
      } of class 0`;
      chart.point(fpr, tpr, colour, tells, 3.5);
    }
  });
  return chart.figure("roc");
}

/** The points of a curve that differ in a picture, and the first that reaches each of some efficiencies. */
function thinned(points: Iterable<RocPoint>, efficiencies: readonly number[]): { drawn: RocPoint[]; marked: RocPoint[] } {
  const drawn: RocPoint[] = [], marked: RocPoint[] = [];
  for (const point of points) {
    const { fpr, tpr } = point, previous = drawn.at(-1);
    while (marked.length < efficiencies.length && tpr >= efficiencies[marked.length]!) marked.push(point);
    const end = fpr === 1 && tpr === 1;
    if (!previous || end || fpr - previous.fpr >= ROC_STEP || tpr - previous.tpr >= ROC_STEP) drawn.push(point);
  }
  return { drawn, marked };
}

/**
 * Distributions of a model's score, one for each true class that occurs.
 *
 * @param file part of the figure's name that stands for the model
 */
export function scoreFigure(file: string, name: string, { labels, scores }: Judged): Figure {
  const bins = 25;
  const classes = [0, 1].map((truth) => {
    const counts = new Array<number>(bins).fill(0);
    let total = 0;
    for (let i = 0; i < scores.length; i++) {
      if (labels[i] !== truth) continue;
      counts[binOf(scores[i]!, bins)]!++;
      total++;
    }
    return { truth, counts, total };
  }).filter(({ total }) => total > 0);
  const most = classes.flatMap(({ counts, total }) => counts.map((count) => count / total)).reduce((a, b) => Math.max(a, b), 0);
  const chart = new Chart({
    title: `${name}: scores of each class`,
    x: { label: "score: probability of class 1", domain: [0, 1] },
    y: { label: "share of the class in each bin", domain: [0, Math.ceil(most * 20) / 20] },
    legend: classes.map(({ truth }) => ({ text: `true ${className(truth, 2)}`, colour: series(truth).colour })),
  });
  for (const { truth, counts, total } of classes) {
    const { colour } = series(truth);
    counts.forEach((count, b) => {
      const share = count / total, x = chart.x(b / bins), y = chart.y(share);
      const tells = `true ${className(truth, 2)}, score ${(b / bins).toFixed(2)} to ${
        ((b + 1) / bins).toFixed(2)
      }: ${count} images, ${percent(share)}`;
      const bar = { x, y, width: chart.x((b + 1) / bins) - x, height: chart.y(0) - y, fill: colour, "fill-opacity": 0.25 };
      chart.add(element("rect", bar, element("title", {}, escapeText(tells))));
    });
    const outline = counts.flatMap((count, b): [number, number][] => [[b / bins, count / total], [(b + 1) / bins, count / total]]);
    chart.line([[0, 0], ...outline, [1, 0]], { colour, dash: undefined });
  }
  return chart.figure(`scores-${file}`);
}

/** Claimed against found probabilities of class 1. */
export function calibrationFigure(models: ReadonlyMap<string, Judged>, { models: summaries }: Summary): Figure {
  const chart = new Chart({
    title: "Calibration",
    x: { label: "mean score in the bin", domain: [0, 1] },
    y: { label: "share of class 1 in the bin", domain: [0, 1] },
    legend: legendOf([...models.keys()], (name) => `: mean distance ${formatReal(summaries.get(name)!.calibration_error, 3)}`),
    square: true,
  });
  chart.guide([0, 0], [1, 1]);
  [...models].forEach(([name, judged], i) => {
    const { colour, dash } = series(i);
    const bins = calibration(judged);
    chart.line(bins.map(({ claimed, found }): [number, number] => [claimed, found]), { colour, dash });
    for (const { claimed, found, images } of bins) {
      const error = Math.sqrt(found * (1 - found) / images);
      chart.interval(claimed, found - error, found + error, colour);
      chart.point(
        claimed,
        found,
        colour,
        `${name}: mean score ${claimed.toFixed(3)}, ${percent(found)} of ${images} images are of class 1`,
        3.5,
      );
    }
  });
  return chart.figure("calibration");
}

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Characters of a model's name that are part of a file's name. */
const LONGEST = 80;

/** For each name a part of a file name, no two of them the same even where capitals do not count. */
export function fileNames(names: readonly string[]): Map<string, string> {
  // mass-residuals is a figure of all models
  const taken = new Set(["residuals"]);
  return new Map(names.map((name) => {
    const plain = name.replaceAll(/[^\w.-]+/g, "-").slice(0, LONGEST);
    let unique = plain;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${plain}-${n}`;
    taken.add(unique.toLowerCase());
    return [name, unique];
  }));
}
