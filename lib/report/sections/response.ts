/** @file Response and resolution of the mass, against true mass and against transverse momentum, in figures and in numbers. */

import { type ResponseBin, responseBins } from "../../eval/response.ts";
import { formatReal } from "../../format.ts";
import { Chart, rangeOf, series } from "../chart.ts";
import { countCell, countOf, type DrawnModel, legendOf, percent, type ReportTable, type Section, shareCell } from "../section.ts";
import type { Figure } from "../svg.ts";

const BINS = 6;

/** A quantity that images are binned in. */
interface Quantity {
  /** Part of the names of figures. */
  readonly name: string;
  /** What it is, with its unit. */
  readonly label: string;
  readonly of: (model: DrawnModel) => Float64Array;
  readonly isKnown: (model: DrawnModel) => boolean;
}

const MASS: Quantity = {
  name: "mass",
  label: "true mass (GeV)",
  of: ({ results }) => results.trueMass,
  isKnown: ({ results }) => results.hasMass,
};
const PT: Quantity = {
  name: "pt",
  label: "transverse momentum (GeV)",
  of: ({ results }) => results.pt,
  isKnown: ({ results }) => results.hasMass && results.hasPt,
};
const CAPTION =
  "The response is predicted over true mass: points are medians, bars hold the middle 68 % of the images, and 1 is right. The " +
  "resolution is half the length of a bar over its median. Bins have equally many images.";

/** Against true mass. */
export const responseByMass: Section = sectionOf("Mass response and resolution by true mass", MASS);
/** Against transverse momentum. */
export const responseByPt: Section = sectionOf("Mass response and resolution by transverse momentum", PT);

function sectionOf(heading: string, quantity: Quantity): Section {
  const binned = (models: readonly DrawnModel[]) => {
    if (!models.every(quantity.isKnown)) return [];
    const bins = models.map((model) => ({ model, bins: responseBins(model.results, quantity.of(model), BINS) }));
    return bins.every(({ bins }) => bins.length > 0) ? bins : [];
  };
  return {
    heading,
    caption: CAPTION,
    draw: (models) => {
      const all = binned(models);
      return all.length > 0 ? [responseFigure(all, quantity), resolutionFigure(all, quantity)] : [];
    },
    tabulate: (models) => {
      const all = binned(models);
      return all.length > 0 ? binTable(all, quantity) : undefined;
    },
  };
}

type Binned = readonly { readonly model: DrawnModel; readonly bins: readonly ResponseBin[] }[];

function axisOf(all: Binned, { label }: Quantity) {
  return { label, domain: rangeOf(all.flatMap(({ bins }) => bins.flatMap(({ from, to }) => [from, to]))) };
}

function responseFigure(all: Binned, quantity: Quantity): Figure {
  const x = axisOf(all, quantity);
  const chart = new Chart({
    title: `Mass response by ${quantity.label}`,
    x,
    y: {
      label: "predicted over true mass",
      domain: rangeOf([1, ...all.flatMap(({ bins }) => bins.flatMap(({ response: { low, high } }) => [low, high]))]),
    },
    legend: legendOf(all.map(({ model }) => model)),
  });
  chart.guide([x.domain[0], 1], [x.domain[1], 1]);
  all.forEach(({ model: { name }, bins }, i) => {
    const { colour } = series(i);
    for (const { from, to, rows, response: { low, median, high } } of bins) {
      const at = from + (to - from) * (i + 1) / (all.length + 1);
      chart.interval(at, low, high, colour);
      const range = `${formatReal(from, 0)} to ${formatReal(to, 0)} GeV`;
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
  return chart.figure(`response-${quantity.name}`);
}

function resolutionFigure(all: Binned, quantity: Quantity): Figure {
  const chart = new Chart({
    title: `Mass resolution by ${quantity.label}`,
    x: axisOf(all, quantity),
    y: {
      label: "half width over median",
      domain: rangeOf([0, ...all.flatMap(({ bins }) => bins.map(({ resolution }) => resolution))]),
    },
    legend: legendOf(all.map(({ model }) => model)),
  });
  all.forEach(({ model: { name }, bins }, i) => {
    const points = bins.map(({ from, to, resolution }): [number, number] => [(from + to) / 2, resolution]);
    chart.line(points, series(i));
    for (const [at, resolution] of points) {
      chart.point(at, resolution, series(i).colour, `${name}, around ${formatReal(at, 0)} GeV: ${formatReal(resolution, 3)}`, 3.5);
    }
  });
  return chart.figure(`resolution-${quantity.name}`);
}

function binTable(all: Binned, { label }: Quantity): ReportTable {
  const hasLabels = all.every(({ model }) => model.results.hasLabels);
  const rows = all.flatMap(({ model: { name, results }, bins }) =>
    bins.map(({ from, to, rows, response, resolution }) => [
      `${all.length > 1 ? `${name}, ` : ""}${formatReal(from, 0)} to ${formatReal(to, 0)}`,
      countCell(rows.length),
      ...(hasLabels ? [accuracyCell(results, rows)] : []),
      formatReal(response.median, 3),
      Number.isFinite(resolution) ? percent(resolution) : formatReal(null, 0),
    ])
  );
  return { columns: [label, "images", ...(hasLabels ? ["accuracy"] : []), "median response", "resolution"], rows };
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
