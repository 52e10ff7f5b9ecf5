/** @file Figures of a target, such as the mass: predicted against true, and residuals by true value. */

import { inUnit, shortValue, withUnit } from "../../data/targets.ts";
import { errorMeasure, measuresOf } from "../../eval/measures.ts";
import { type Bin, equalBins, type Middle, middleOf } from "../../eval/response.ts";
import type { TestResults } from "../../eval/test_results.ts";
import { formatReal } from "../../format.ts";
import { Chart, rangeOf, series } from "../chart.ts";
import { sequential } from "../colours.ts";
import { capital, countOf, type DrawnModel, type DrawnTarget, legendOf, rangeText, type Section } from "../section.ts";
import { element, escapeText, type Figure } from "../svg.ts";

const CELLS = 70;
/** Bins of equal numbers of images in the figure of residuals. */
const BINS = 8;

/** Predicted against true values for each model, with the same axes so that they can be compared. */
export function predicted(target: DrawnTarget): Section {
  return {
    heading: `Predicted and true ${target.name}`,
    caption:
      "Each mark is a small cell of the plane, yellow where most images lie. On the dashed line prediction and truth agree; " +
      "a flat band means that the model falls back on a mean.",
    draw(models) {
      if (!models.every(({ results }) => results.targets[target.place]!.isKnown)) return [];
      const domain = rangeOf(valuesOf(models, target));
      return models.map((model) => planeFigure(model, target, domain));
    },
  };
}

/** Residuals of all models. */
export function residuals(target: DrawnTarget): Section {
  return {
    heading: `${capital(target.name)} residuals`,
    caption:
      "Points are medians, bars hold the middle 68 % of the images, in bins with equally many images. Points off zero are a " +
      `bias at that ${target.name}; the length of a bar is the resolution.`,
    draw: (models) => {
      return models.every(({ results }) => results.targets[target.place]!.isKnown) ? [residualFigure(models, target)] : [];
    },
  };
}

/** Predicted against true value; each mark is a small cell, its colour tells how many images are in it. */
function planeFigure(
  { file, name, results: { targets, weights }, summary }: DrawnModel,
  target: DrawnTarget,
  domain: readonly [number, number],
): Figure {
  const measureName = errorMeasure(target), { digits } = measuresOf(targets)[measureName]!;
  const { truth, predicted } = targets[target.place]!;
  const chart = new Chart({
    title: `${name}: mean error ${withUnit(formatReal(summary.values[measureName], digits), target)}`,
    x: { label: inUnit(`true ${target.name}`, target), domain },
    y: { label: inUnit(`predicted ${target.name}`, target), domain },
    square: true,
  });
  const [low, high] = domain, width = (high - low) / CELLS;
  const cellOf = (value: number) => Math.max(0, Math.min(CELLS - 1, Math.floor((value - low) / width)));
  const counts = new Float64Array(CELLS * CELLS);
  for (let i = 0; i < truth.length; i++) counts[cellOf(predicted[i]!) * CELLS + cellOf(truth[i]!)]! += weights[i]!;
  const filled = counts.filter((count) => count > 0).sort(), least = filled[0]!, most = filled.at(-1)!;
  counts.forEach((count, cell) => {
    if (count === 0) return;
    const x = low + (cell % CELLS) * width, y = low + Math.floor(cell / CELLS) * width;
    const range = (from: number) => rangeText(from, from + width, target);
    const tells = `true ${range(x)}, predicted ${range(y)}: ${countOf(count)}`;
    const shade = most === least ? 0 : Math.log(count / least) / Math.log(most / least);
    chart.point(x + width / 2, y + width / 2, sequential(shade), tells, 2.6);
  });
  chart.guide([low, low], [high, high]);
  return chart.figure(`${target.file}-${file}`);
}

/** True and predicted values of all models. */
function* valuesOf(models: readonly DrawnModel[], { place }: DrawnTarget): Generator<number> {
  for (const { results: { targets } } of models) {
    const { truth, predicted } = targets[place]!;
    for (let i = 0; i < truth.length; i++) {
      yield predicted[i]!;
      yield truth[i]!;
    }
  }
}

/** Median and middle 68 % of the residuals, in bins of true value with equally many images. */
function residualFigure(models: readonly DrawnModel[], target: DrawnTarget): Figure {
  const bars = models.map(({ name, results, members = [] }, i) => {
    return { name, i, bins: residualBins(results, target), members: members.map((member) => residualBins(member, target)) };
  });
  const show = (value: number) => shortValue(value, target);
  const chart = new Chart({
    title: `${capital(target.name)} residuals by true ${target.name}`,
    x: {
      label: inUnit(`true ${target.name}`, target),
      domain: rangeOf(bars.flatMap(({ bins }) => bins.flatMap(({ from, to }) => [from, to]))),
    },
    y: {
      label: inUnit(`predicted less true ${target.name}`, target),
      domain: rangeOf([0, ...bars.flatMap(({ bins }) => bins.flatMap(({ low, high }) => [low, high]))]),
    },
    legend: legendOf(models),
  });
  const [first] = bars[0]!.bins, last = bars[0]!.bins.at(-1)!;
  chart.guide([first!.from, 0], [last.to, 0]);
  for (const { name, i, bins, members } of bars) {
    // models side by side within a bin
    const { colour } = series(i), placeIn = ({ from, to }: Bin) => from + (to - from) * (i + 1) / (bars.length + 1);
    for (const member of members) chart.thin(member.map((bin): [number, number] => [placeIn(bin), bin.median]), colour);
    for (const bin of bins) {
      const { from, to, low, median, high, rows } = bin, x = placeIn(bin);
      const tells =
        `${name}, true ${target.name} ${rangeText(from, to, target)}, ${countOf(rows.length)}: median ${
          withUnit(show(median), target)
        }, ` +
        `68 % between ${show(low)} and ${withUnit(show(high), target)}`;
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
  return chart.figure(`${target.file}-residuals`);
}

/** A bin of true values with the middle of its residuals. */
type ResidualBin = Middle & Bin;

function residualBins(results: TestResults, { place }: DrawnTarget): ResidualBin[] {
  const { truth, predicted } = results.targets[place]!;
  return equalBins(truth, BINS).map((bin) => ({ ...bin, ...middleOf(results, bin.rows, (row) => predicted[row]! - truth[row]!) }));
}
