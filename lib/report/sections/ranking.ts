/** @file What scores are worth at every threshold: ROC curves and calibration. */

import { calibration, rocCurve, type RocPoint, wilsonInterval } from "../../eval/curves.ts";
import { formatReal } from "../../format.ts";
import { Chart, series } from "../chart.ts";
import { type DrawnModel, legendOf, percent, type Section } from "../section.ts";
import type { Figure } from "../svg.ts";

/** ROC curves and calibration of all models. */
export const ranking: Section = {
  heading: "ROC and calibration",
  caption:
    "ROC: the share of tops kept against the share of other jets that slip through, for every threshold; the curve further " +
    "up and left is better, the dashed diagonal is a guess, thin curves are members of an ensemble. Calibration: whether a score of 0.8 means that 80 % are tops; points " +
    "above the diagonal are too modest, below it too sure. Bars are 95 % intervals (Wilson).",
  draw(models) {
    if (models.some(({ results }) => results.classes !== 2 || !results.hasLabels)) return [];
    const bothClasses = models.every(({ summary }) => summary.values["roc_auc"] !== null);
    return [...(bothClasses ? [rocFigure(models)] : []), calibrationFigure(models)];
  },
};

/** Smallest step along an axis of the ROC curve that is drawn: a tenth of a pixel. */
const ROC_STEP = 1 / 4000;

/** ROC curves of all models, and thin those of their members. */
function rocFigure(models: readonly DrawnModel[]): Figure {
  const chart = new Chart({
    title: "ROC curves",
    x: { label: "background efficiency (share of class 0 that passes)", domain: [0, 1] },
    y: { label: "signal efficiency (share of class 1)", domain: [0, 1] },
    legend: legendOf(models, ({ values }) => `: AUC ${formatReal(values["roc_auc"], 4)}`),
    square: true,
  });
  chart.guide([0, 0], [1, 1]);
  models.forEach(({ name, results, members = [] }, i) => {
    const { colour, dash } = series(i);
    for (const member of members) {
      chart.thin(thinned(rocCurve(member), []).drawn.map(({ fpr, tpr }): [number, number] => [fpr, tpr]), colour);
    }
    const { drawn, marked } = thinned(rocCurve(results), [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]);
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

/** Claimed against found probabilities of class 1. */
function calibrationFigure(models: readonly DrawnModel[]): Figure {
  const chart = new Chart({
    title: "Calibration",
    x: { label: "mean score in the bin", domain: [0, 1] },
    y: { label: "share of class 1 in the bin", domain: [0, 1] },
    legend: legendOf(models, ({ calibration_error }) => `: mean distance ${formatReal(calibration_error, 3)}`),
    square: true,
  });
  chart.guide([0, 0], [1, 1]);
  models.forEach(({ name, results, members = [] }, i) => {
    const { colour, dash } = series(i);
    for (const member of members) {
      chart.thin(calibration(member).map(({ claimed, found }): [number, number] => [claimed, found]), colour);
    }
    const bins = calibration(results);
    chart.line(bins.map(({ claimed, found }): [number, number] => [claimed, found]), { colour, dash });
    for (const { claimed, found, images, effective } of bins) {
      chart.interval(claimed, ...wilsonInterval(found, effective), colour);
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
