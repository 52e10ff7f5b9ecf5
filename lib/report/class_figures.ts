/** @file Figures of the classification: confusion, ROC curves, scores, calibration. */

import { calibration, type Judged, rocCurve } from "../eval/measures.ts";
import type { ModelSummary, Summary } from "../eval/summary.ts";
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

/** A model's confusion matrix: rows are true classes, cells shares of the row. */
export function confusionFigure(name: string, { confusion, accuracy }: ModelSummary): Figure {
  const classes = confusion.length, cell = 300 / classes;
  const left = 110, top = 60;
  const cells = confusion.flatMap((row, truth) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count, predicted) => {
      const share = total === 0 ? 0 : count / total;
      const x = left + predicted * cell, y = top + truth * cell;
      const tells = `true ${className(truth, classes)}, predicted ${className(predicted, classes)}: ${count} images, ${
        percent(share)
      } of the row`;
      const ink = share > 0.55 ? "var(--paper)" : "var(--ink)";
      const centred = { "text-anchor": "middle", style: `fill:${ink}` };
      return element("rect", { x, y, width: cell, height: cell, fill: "var(--panel)" }) +
        element(
          "rect",
          { x, y, width: cell, height: cell, fill: "var(--c0)", "fill-opacity": share },
          element("title", {}, escapeText(tells)),
        ) +
        label(x + cell / 2, y + cell / 2 - 2, percent(share), { ...centred, "font-size": 18, "font-weight": 600 }) +
        label(x + cell / 2, y + cell / 2 + 18, `${count} images`, centred);
    });
  });
  const axes = confusion.map((_, c) => {
    return label(left + (c + 0.5) * cell, top + 318, className(c, classes), { "text-anchor": "middle" }) +
      label(left - 8, top + (c + 0.5) * cell + 4, className(c, classes), { "text-anchor": "end" });
  });
  const title = `${name}: accuracy ${percent(accuracy!)}`;
  return {
    name: `confusion-${slug(name)}`,
    title,
    width: 460,
    height: 430,
    body: label(left, 24, title, { class: "title", "font-size": 14 }) +
      label(left, 46, "share of each true class", { class: "soft" }) +
      cells.join("") + axes.join("") + label(left + 150, top + 344, "predicted class", { "text-anchor": "middle" }) +
      label(0, 0, "true class", { "text-anchor": "middle", transform: `translate(18 ${top + 150}) rotate(-90)` }),
  };
}

/** ROC curves of all models. */
export function rocFigure(models: ReadonlyMap<string, Judged>, { models: summaries }: Summary): Figure {
  const chart = new Chart({
    title: "ROC curves",
    x: { label: "background efficiency (share of class 0 that passes)", domain: [0, 1] },
    y: { label: "signal efficiency (share of class 1)", domain: [0, 1] },
    legend: legendOf([...models.keys()], (name) => `: AUC ${summaries[name]!.roc_auc!.toFixed(4)}`),
    square: true,
  });
  chart.guide([0, 0], [1, 1]);
  [...models].forEach(([name, judged], i) => {
    const { colour, dash } = series(i);
    const points = rocCurve(judged);
    chart.line(points.map(({ fpr, tpr }): [number, number] => [fpr, tpr]), { colour, dash });
    for (const efficiency of [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]) {
      const { fpr, tpr, threshold } = points.find((point) => point.tpr >= efficiency)!;
      const tells = `${name}: score at least ${threshold.toFixed(3)} keeps ${percent(tpr)} of class 1 and ${
        percent(fpr)
      } of class 0`;
      chart.point(fpr, tpr, colour, tells, 3.5);
    }
  });
  return chart.figure("roc");
}

/** Distributions of a model's score, one for each true class. */
export function scoreFigure(name: string, judged: Judged): Figure {
  const bins = 25;
  const shares = [0, 1].map((truth) => {
    const scores = judged.scores.filter((_, i) => judged.labels[i] === truth);
    const counts = new Array<number>(bins).fill(0);
    for (const score of scores) counts[Math.min(bins - 1, Math.floor(score * bins))]!++;
    return { counts, total: scores.length };
  });
  const most = Math.max(...shares.flatMap(({ counts, total }) => counts.map((count) => count / total)));
  const chart = new Chart({
    title: `${name}: scores of each class`,
    x: { label: "score: probability of class 1", domain: [0, 1] },
    y: { label: "share of the class in each bin", domain: [0, Math.ceil(most * 20) / 20] },
    legend: [0, 1].map((truth) => ({ text: `true ${className(truth, 2)}`, colour: series(truth).colour })),
  });
  shares.forEach(({ counts, total }, truth) => {
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
  });
  return chart.figure(`scores-${slug(name)}`);
}

/** Claimed against found probabilities of class 1. */
export function calibrationFigure(models: ReadonlyMap<string, Judged>, { models: summaries }: Summary): Figure {
  const chart = new Chart({
    title: "Calibration",
    x: { label: "mean score in the bin", domain: [0, 1] },
    y: { label: "share of class 1 in the bin", domain: [0, 1] },
    legend: legendOf([...models.keys()], (name) => `: mean distance ${summaries[name]!.calibration_error!.toFixed(3)}`),
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

/** A name as part of a file name. */
export function slug(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "-");
}
