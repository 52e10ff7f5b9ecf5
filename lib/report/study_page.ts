/** @file The page of a study: tables of means and deviations, and learning curves. */

import type { Target } from "../data/targets.ts";
import { errorMeasure, measuresOf, type MeasureValues } from "../eval/measures.ts";
import type { Spread } from "../eval/spread.ts";
import { formatReal } from "../format.ts";
import { Chart, rangeOf, series } from "./chart.ts";
import { pageDocument, tableElement } from "./report_page.ts";
import { element, escapeText, type Figure, namedFigures, partOfName } from "./svg.ts";

/** Members that were trained on the same number of images. */
export interface StudyGroup {
  /** That number, if the study has several. */
  readonly images: number | undefined;
  readonly members: readonly { readonly name: string; readonly measures: MeasureValues }[];
  readonly spreads: Readonly<Record<string, Spread>>;
}

/** A table with its title; the first row holds the headings. */
export interface StudyTable {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
}

/** Measures against the number of training images, with every member and the interval of the mean; none for one number. */
export function learningCurves(groups: readonly StudyGroup[], targets: readonly Target[]): Figure[] {
  const measures = measuresOf(targets);
  const known = groups.flatMap(({ images, ...rest }) => images === undefined ? [] : [{ images, ...rest }])
    .sort((a, b) => a.images - b.images);
  if (known.length < 2) return [];
  return ["accuracy", "roc_auc", ...targets.map(errorMeasure)].flatMap((name) => {
    const { label, digits } = measures[name]!, { colour } = series(0);
    const points = known.flatMap(({ images, members, spreads }) => {
      const { mean, interval } = spreads[name]!;
      return mean === null ? [] : [{ x: Math.log10(images), images, mean, interval, members }];
    });
    if (points.length === 0) return [];
    const values = points.flatMap(({ mean, members }) => [mean, ...members.flatMap(({ measures }) => measures[name] ?? [])]);
    const chart = new Chart({
      title: `${label} against training images`,
      x: {
        label: "logarithm (base 10) of the training images",
        domain: [points[0]!.x, Math.max(points[0]!.x + 1e-6, points.at(-1)!.x)],
      },
      y: { label, domain: rangeOf(values) },
      legend: [{ text: "mean, its 95 % interval, and each member", colour }],
    });
    chart.line(points.map(({ x, mean }): [number, number] => [x, mean]), { colour });
    for (const { x, images, mean, interval, members } of points) {
      if (interval) chart.interval(x, interval[0], interval[1], colour);
      chart.point(x, mean, colour, `${images} images: ${formatReal(mean, digits)}`, 4);
      for (const { name: member, measures } of members) {
        const value = measures[name];
        if (typeof value === "number") chart.point(x, value, "var(--soft)", `${member}: ${formatReal(value, digits)}`, 2);
      }
    }
    return [chart.figure(`learning-curve-${partOfName(name)}`)];
  });
}

/** The page. */
export function studyPage(tables: readonly StudyTable[], figures: readonly Figure[]): string {
  const sections = tables.map(({ title, rows: [columns = [], ...rows] }) => {
    return element("section", {}, element("h2", {}, escapeText(title)), tableElement({ columns, rows }));
  });
  const drawn = namedFigures(figures);
  return pageDocument("L2ViT: a study", [
    element("h1", {}, "L2ViT: a study"),
    element(
      "p",
      {},
      "Means over members on their test images; the deviation is that from member to member, the interval of the mean is Student's, of members from " +
        "several weights that of two crossed effects. " +
        "Differences and their p are from resamples of members and images together; with Holm's correction they hold for all measures at once.",
    ),
    ...sections,
    ...(drawn.length > 0
      ? [element("section", {}, element("h2", {}, "Learning curves"), element("div", { class: "figures" }, ...drawn))]
      : []),
  ]);
}
