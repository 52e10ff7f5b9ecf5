/** @file What is right and wrong in each class. */

import { effectiveImages } from "../../eval/curves.ts";
import { formatReal } from "../../format.ts";
import { className, countCell, type DrawnModel, type Section, shareCell } from "../section.ts";

/** A table with a row for each class. */
export const byClass: Section = {
  heading: "Class by class",
  caption:
    "Efficiency is the share of a class that is recognised, purity the share of what is taken for it that is of it. Bias is the mean of " +
    "predicted less true mass. Intervals are 95 % (Wilson).",
  tabulate(models) {
    if (models.some(({ results }) => !results.hasLabels)) return undefined;
    const hasMass = models.every(({ results }) => results.hasMass);
    const columns = ["class", "images", "efficiency", "purity", ...(hasMass ? ["mass MAE (GeV)", "mass bias (GeV)"] : [])];
    return { columns, rows: models.flatMap((model) => rowsOf(model, models.length > 1, hasMass)) };
  },
};

function rowsOf({ name, results, summary: { confusion } }: DrawnModel, several: boolean, hasMass: boolean): string[][] {
  return confusion.map((row, c) => {
    const total = sum(row), claimed = sum(confusion.map((of) => of[c]!)), effective = effectiveImages(results, c);
    return [
      `${several ? `${name}, ` : ""}${className(c, confusion.length)}`,
      countCell(total),
      shareCell(row[c]! / total, effective),
      shareCell(row[c]! / claimed, claimed === 0 || total === 0 ? 0 : claimed * effective / total),
      ...(hasMass ? massErrors(results, c) : []),
    ];
  });
}

/** Mean absolute error and bias of the mass of a class. */
function massErrors({ labels, weights, mass, trueMass }: DrawnModel["results"], c: number): string[] {
  let all = 0, absolute = 0, signed = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== c) continue;
    const error = mass[i]! - trueMass[i]!;
    all += weights[i]!;
    absolute += weights[i]! * Math.abs(error);
    signed += weights[i]! * error;
  }
  return [absolute, signed].map((value) => formatReal(all === 0 ? null : value / all, 2));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
