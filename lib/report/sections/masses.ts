/** @file Figures of the mass: predicted against true, and residuals by true mass. */

import { type Bin, equalBins, type Middle, middleOf } from "../../eval/response.ts";
import type { TestResults } from "../../eval/test_results.ts";
import { formatReal } from "../../format.ts";
import { Chart, rangeOf, series } from "../chart.ts";
import { sequential } from "../colours.ts";
import { countOf, type DrawnModel, legendOf, type Section } from "../section.ts";
import { element, escapeText, type Figure } from "../svg.ts";

const CELLS = 70;
/** Bins of equal numbers of images in the figure of residuals. */
const BINS = 8;

/** Predicted against true mass for each model, with the same axes so that they can be compared. */
export const predictedMass: Section = {
  heading: "Predicted and true mass",
  caption: "Each mark is a small cell of the plane, yellow where most images lie. On the dashed line prediction and truth agree; " +
    "a flat band means that the model falls back on a mean.",
  draw(models) {
    if (!models.every(({ results }) => results.hasMass)) return [];
    const domain = rangeOf(massesOf(models));
    return models.map((model) => massFigure(model, domain));
  },
};

/** Residuals of all models. */
export const residuals: Section = {
  heading: "Mass residuals",
  caption: "Points are medians, bars hold the middle 68 % of the images, in bins with equally many images. Points off zero are a " +
    "bias at that mass; the length of a bar is the resolution.",
  draw: (models) => models.every(({ results }) => results.hasMass) ? [residualFigure(models)] : [],
};

/** Predicted against true mass; each mark is a small cell, its colour tells how many images are in it. */
function massFigure(
  { file, name, results: { mass, trueMass, weights }, summary }: DrawnModel,
  domain: readonly [number, number],
): Figure {
  const chart = new Chart({
    title: `${name}: mean error ${formatReal(summary.values["mass_mae"], 2)} GeV`,
    x: { label: "true mass (GeV)", domain },
    y: { label: "predicted mass (GeV)", domain },
    square: true,
  });
  const [low, high] = domain, width = (high - low) / CELLS;
  const cellOf = (value: number) => Math.max(0, Math.min(CELLS - 1, Math.floor((value - low) / width)));
  const counts = new Float64Array(CELLS * CELLS);
  for (let i = 0; i < mass.length; i++) counts[cellOf(mass[i]!) * CELLS + cellOf(trueMass[i]!)]! += weights[i]!;
  const filled = counts.filter((count) => count > 0).sort(), least = filled[0]!, most = filled.at(-1)!;
  counts.forEach((count, cell) => {
    if (count === 0) return;
    const x = low + (cell % CELLS) * width, y = low + Math.floor(cell / CELLS) * width;
    const range = (from: number) => `${formatReal(from, 0)} to ${formatReal(from + width, 0)} GeV`;
    const tells = `true ${range(x)}, predicted ${range(y)}: ${countOf(count)}`;
    const shade = most === least ? 0 : Math.log(count / least) / Math.log(most / least);
    chart.point(x + width / 2, y + width / 2, sequential(shade), tells, 2.6);
  });
  chart.guide([low, low], [high, high]);
  return chart.figure(`mass-${file}`);
}

/** True and predicted masses of all models. */
function* massesOf(models: readonly DrawnModel[]): Generator<number> {
  for (const { results: { mass, trueMass } } of models) {
    for (let i = 0; i < mass.length; i++) {
      yield mass[i]!;
      yield trueMass[i]!;
    }
  }
}

/** Median and middle 68 % of the residuals, in bins of true mass with equally many images. */
function residualFigure(models: readonly DrawnModel[]): Figure {
  const bars = models.map(({ name, results }, i) => ({ name, i, bins: residualBins(results) }));
  const chart = new Chart({
    title: "Mass residuals by true mass",
    x: { label: "true mass (GeV)", domain: rangeOf(bars.flatMap(({ bins }) => bins.flatMap(({ from, to }) => [from, to]))) },
    y: {
      label: "predicted less true mass (GeV)",
      domain: rangeOf([0, ...bars.flatMap(({ bins }) => bins.flatMap(({ low, high }) => [low, high]))]),
    },
    legend: legendOf(models),
  });
  const [first] = bars[0]!.bins, last = bars[0]!.bins.at(-1)!;
  chart.guide([first!.from, 0], [last.to, 0]);
  for (const { name, i, bins } of bars) {
    const { colour } = series(i);
    for (const { from, to, low, median, high, rows } of bins) {
      // models side by side within a bin
      const x = from + (to - from) * (i + 1) / (bars.length + 1);
      const tells =
        `${name}, true mass ${formatReal(from, 0)} to ${formatReal(to, 0)} GeV, ${countOf(rows.length)}: median ${
          formatReal(median, 1)
        } GeV, ` +
        `68 % between ${formatReal(low, 1)} and ${formatReal(high, 1)} GeV`;
      const [left, right] = [chart.x(x) - 4, chart.x(x) + 4];
      const rect = {
        x: left,
        y: chart.y(high),
        width: right - left,
        height: chart.y(low) - chart.y(high),
        fill: colour,
        "fill-opacity": 0.3,
      };
      chart.add(element("rect", rect, element("title", {}, escapeText(tells))));
      chart.point(x, median, colour, tells, 3.5);
    }
  }
  return chart.figure("mass-residuals");
}

/** A bin of true mass with the middle of its residuals. */
type ResidualBin = Middle & Bin;

function residualBins(results: TestResults): ResidualBin[] {
  const { mass, trueMass } = results;
  return equalBins(trueMass, BINS).map((bin) => ({ ...bin, ...middleOf(results, bin.rows, (row) => mass[row]! - trueMass[row]!) }));
}
