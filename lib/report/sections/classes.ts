/** @file What is right and wrong in each class. */

import { effectiveImages } from "../../eval/curves.ts";
import { digitsOf, inUnit, type Target } from "../../data/targets.ts";
import { formatReal } from "../../format.ts";
import { className, countCell, type DrawnModel, type Section, shareCell } from "../section.ts";

/** A table with a row for each class. */
export function byClass(targets: readonly Target[]): Section {
  return {
    heading: "Class by class",
    caption:
      "Efficiency is the share of a class that is recognised, purity the share of what is taken for it that is of it. Bias is the mean of " +
      `predicted less true ${targets.map(({ name }) => name).join(" or ")}. Intervals are 95 % (Wilson).`,
    tabulate(models) {
      if (models.some(({ results }) => !results.hasLabels)) return undefined;
      const known = targets.flatMap((target, t) =>
        models.every(({ results }) => results.targets[t]!.isKnown) ? [{ t, target }] : []
      );
      const ofTargets = known.flatMap(({ target }) => ["MAE", "bias"].map((what) => inUnit(`${target.name} ${what}`, target)));
      const columns = ["class", "images", "efficiency", "purity", ...ofTargets], several = models.length > 1;
      return { columns, rows: models.flatMap((model) => rowsOf(model, several, known.map(({ t }) => t))) };
    },
  };
}

function rowsOf({ name, results, summary: { confusion } }: DrawnModel, several: boolean, known: readonly number[]): string[][] {
  return confusion.map((row, c) => {
    const total = sum(row), claimed = sum(confusion.map((of) => of[c]!)), effective = effectiveImages(results, c);
    return [
      `${several ? `${name}, ` : ""}${className(c, confusion.length)}`,
      countCell(total),
      shareCell(row[c]! / total, effective),
      shareCell(row[c]! / claimed, claimed === 0 || total === 0 ? 0 : claimed * effective / total),
      ...known.flatMap((t) => targetErrors(results, t, c)),
    ];
  });
}

/** Mean absolute error and bias of a target in a class. */
function targetErrors({ labels, weights, targets }: DrawnModel["results"], t: number, c: number): string[] {
  const { truth, predicted, unit } = targets[t]!;
  let all = 0, absolute = 0, signed = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== c) continue;
    const error = predicted[i]! - truth[i]!;
    all += weights[i]!;
    absolute += weights[i]! * Math.abs(error);
    signed += weights[i]! * error;
  }
  return [absolute, signed].map((value) => formatReal(all === 0 ? null : value / all, digitsOf({ unit }, 2)));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
