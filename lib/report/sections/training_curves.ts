/** @file Training curves, from the histories that weight files carry. */

import { MASS } from "../../data/targets.ts";
import { type Curve, curvesOf } from "../../weights/history.ts";
import { Chart, rangeOf, series, ticksOf } from "../chart.ts";
import type { DrawnModel, Section } from "../section.ts";
import { type Figure, partOfName } from "../svg.ts";

/** Curves of all models. */
export const training: Section = {
  heading: "Training",
  caption: "Up to the epoch whose weights are evaluated here. Training curves that go on falling while validation rises mean " +
    "overfitting; training is measured with augmentation and dropout, so it may lie above validation.",
  draw: (models) => curveFigures(models, curvesOf(models[0]!.results.targets)),
};

/**
 * A figure for each kind of curve that any run has: training thin, validation with marks.
 *
 * @param kinds those of runs that learn the mass alone, by default
 */
export function curveFigures(
  models: readonly Pick<DrawnModel, "name" | "history">[],
  kinds: Readonly<Record<string, Curve>> = curvesOf([MASS]),
): Figure[] {
  return Object.entries(kinds).flatMap(([key, { title, label }]) => {
    const curves = models.flatMap(({ name, history }, i) =>
      ["train", "val"].flatMap((part) => {
        // an epoch whose value was not finite has no point
        const values = (history[`${part}_${key}`] ?? []).map((value, epoch): [number, number] => [epoch + 1, value])
          .filter(([, value]) => Number.isFinite(value));
        return values.length > 0 ? [{ name, part, values, colour: series(i).colour }] : [];
      })
    );
    if (curves.length === 0) return [];
    const epochs = Math.max(...curves.map(({ values }) => values.at(-1)![0]));
    // room for the marks of the first and the last
    const domain = [0.5, epochs + 0.5] as const;
    const chart = new Chart({
      title,
      x: { label: "epoch", domain, ticks: ticksOf({ domain }).filter(Number.isInteger) },
      y: { label, domain: rangeOf(curves.flatMap(({ values }) => values.map(([, value]) => value))) },
      legend: curves.map(({ name, part, colour }) => ({
        text: `${name}, ${part === "train" ? "training" : "validation"}`,
        colour,
        dash: part === "train" ? "2 3" : undefined,
      })),
    });
    for (const { name, part, values, colour } of curves) {
      chart.line(values, { colour, dash: part === "train" ? "2 3" : undefined });
      if (part === "train") continue;
      for (const [epoch, value] of values) {
        chart.point(epoch, value, colour, `${name}, epoch ${epoch}: ${value.toPrecision(4)}`, 2.4);
      }
    }
    return [chart.figure(`curves-${partOfName(key)}`)];
  });
}
