/** @file Response and resolution of a target, such as the mass, against its true value and against transverse momentum, in figures and in numbers. */

import { digitsOf, inUnit, MASS, type Target, withUnit } from "../../data/targets.ts";
import { type ResponseBin, responseBins } from "../../eval/response.ts";
import type { TestResults } from "../../eval/test_results.ts";
import { formatReal } from "../../format.ts";
import { Chart, rangeOf, series } from "../chart.ts";
import {
  capital,
  countCell,
  countOf,
  type DrawnModel,
  type DrawnTarget,
  legendOf,
  percent,
  rangeText,
  type ReportTable,
  type Section,
  shareCell,
} from "../section.ts";
import type { Figure } from "../svg.ts";

const BINS = 6;

/** A quantity that images are binned in. */
interface Quantity {
  /** Last part of the names of figures. */
  readonly file: string;
  /** What it is. */
  readonly words: string;
  /** Its values' name and unit. */
  readonly target: Target;
  readonly of: (results: TestResults) => Float64Array;
  readonly isKnown: (model: DrawnModel) => boolean;
}

/** Against the true value. */
export function responseByTruth(target: DrawnTarget): Section {
  return sectionOf(target, {
    file: target.file,
    words: `true ${target.name}`,
    target,
    of: ({ targets }) => targets[target.place]!.truth,
    isKnown: () => true,
  });
}

/** Against transverse momentum; nothing of that itself. */
export function responseByPt(target: DrawnTarget): Section {
  return sectionOf(target, {
    file: target.name === MASS.name ? "pt" : `${target.file}-by-pt`,
    words: "transverse momentum",
    target: PT,
    of: ({ pt }) => pt,
    isKnown: ({ results: { hasPt, pt, targets } }) => hasPt && targets[target.place]!.truth.some((value, i) => value !== pt[i]),
  });
}

const PT: Target = { name: "pt", unit: "GeV" };

function sectionOf(target: DrawnTarget, quantity: Quantity): Section {
  const binned = (models: readonly DrawnModel[]) => {
    const isKnown = (model: DrawnModel) => model.results.targets[target.place]!.isKnown && quantity.isKnown(model);
    if (!models.every(isKnown)) return [];
    const binsOf = (results: TestResults) => responseBins(results, target.place, quantity.of(results), BINS);
    const bins = models.map((model) => ({ model, bins: binsOf(model.results), members: (model.members ?? []).map(binsOf) }));
    return bins.every(({ bins }) => bins.length > 0) ? bins : [];
  };
  return {
    heading: `${capital(target.name)} response and resolution by ${quantity.words}`,
    caption:
      `The response is predicted over true ${target.name}: points are medians, bars hold the middle 68 % of the images, and 1 is right. The ` +
      "resolution is half the length of a bar over its median. Bins have equally many images.",
    draw: (models) => {
      const all = binned(models);
      return all.length > 0 ? [responseFigure(all, target, quantity), resolutionFigure(all, target, quantity)] : [];
    },
    tabulate: (models) => {
      const all = binned(models);
      return all.length > 0 ? binTable(all, quantity) : undefined;
    },
  };
}

type Binned = readonly {
  readonly model: DrawnModel;
  readonly bins: readonly ResponseBin[];
  /** The same of each member. */
  readonly members: readonly (readonly ResponseBin[])[];
}[];

function axisOf(all: Binned, { words, target }: Quantity) {
  return { label: inUnit(words, target), domain: rangeOf(all.flatMap(({ bins }) => bins.flatMap(({ from, to }) => [from, to]))) };
}

function responseFigure(all: Binned, { name: target }: Target, quantity: Quantity): Figure {
  const x = axisOf(all, quantity);
  const chart = new Chart({
    title: `${capital(target)} response by ${x.label}`,
    x,
    y: {
      label: `predicted over true ${target}`,
      domain: rangeOf([1, ...all.flatMap(({ bins }) => bins.flatMap(({ response: { low, high } }) => [low, high]))]),
    },
    legend: legendOf(all.map(({ model }) => model)),
  });
  chart.guide([x.domain[0], 1], [x.domain[1], 1]);
  all.forEach(({ model: { name }, bins, members }, i) => {
    const { colour } = series(i), placeIn = ({ from, to }: ResponseBin) => from + (to - from) * (i + 1) / (all.length + 1);
    for (const member of members) {
      chart.thin(member.map((bin): [number, number] => [placeIn(bin), bin.response.median]), colour);
    }
    for (const bin of bins) {
      const { from, to, rows, response: { low, median, high } } = bin, at = placeIn(bin);
      chart.interval(at, low, high, colour);
      const range = rangeText(from, to, quantity.target);
      chart.point(
        at,
        median,
        colour,
        `${name}, ${range}, ${countOf(rows.length)}: median ${formatReal(median, 3)}, 68 % between ${formatReal(low, 3)} and ${
          formatReal(high, 3)
        }`,
        3.5,
      );
    }
  });
  return chart.figure(`response-${quantity.file}`);
}

function resolutionFigure(all: Binned, { name: target }: Target, quantity: Quantity): Figure {
  const x = axisOf(all, quantity);
  const chart = new Chart({
    title: `${capital(target)} resolution by ${x.label}`,
    x,
    y: {
      label: "half width over median",
      domain: rangeOf([0, ...all.flatMap(({ bins }) => bins.map(({ resolution }) => resolution))]),
    },
    legend: legendOf(all.map(({ model }) => model)),
  });
  all.forEach(({ model: { name }, bins, members }, i) => {
    const pointsOf = (bins: readonly ResponseBin[]) => {
      return bins.map(({ from, to, resolution }): [number, number] => [(from + to) / 2, resolution]);
    };
    for (const member of members) chart.thin(pointsOf(member), series(i).colour);
    const points = pointsOf(bins);
    chart.line(points, series(i));
    for (const [at, resolution] of points) {
      chart.point(
        at,
        resolution,
        series(i).colour,
        `${name}, around ${withUnit(formatReal(at, digitsOf(quantity.target, 0)), quantity.target)}: ${formatReal(resolution, 3)}`,
        3.5,
      );
    }
  });
  return chart.figure(`resolution-${quantity.file}`);
}

function binTable(all: Binned, { words, target }: Quantity): ReportTable {
  const hasLabels = all.every(({ model }) => model.results.hasLabels);
  const rows = all.flatMap(({ model: { name, results }, bins }) =>
    bins.map(({ from, to, rows, response, resolution }) => [
      `${all.length > 1 ? `${name}, ` : ""}${formatReal(from, digitsOf(target, 0))} to ${formatReal(to, digitsOf(target, 0))}`,
      countCell(rows.length),
      ...(hasLabels ? [accuracyCell(results, rows)] : []),
      formatReal(response.median, 3),
      Number.isFinite(resolution) ? percent(resolution) : formatReal(null, 0),
    ])
  );
  return { columns: [inUnit(words, target), "images", ...(hasLabels ? ["accuracy"] : []), "median response", "resolution"], rows };
}

function accuracyCell({ labels, predicted, weights }: DrawnModel["results"], rows: Uint32Array): string {
  let right = 0, all = 0, squares = 0;
  for (const row of rows) {
    right += labels[row] === predicted[row] ? weights[row]! : 0;
    all += weights[row]!;
    squares += weights[row]! ** 2;
  }
  return shareCell(right / all, all ** 2 / squares);
}
