/** @file The models that an ensemble or a study is made of: how much they differ, and what their mean gains. */

import { measure, measuresOf } from "../../eval/measures.ts";
import { spreadOf } from "../../eval/spread.ts";
import { formatReal } from "../../format.ts";
import type { Section } from "../section.ts";

/** A table of the spread of all measures. */
export const members: Section = {
  heading: "Members",
  caption:
    "Mean and standard deviation of each measure from member to member, and the same of the mean of their predictions. The deviation is what " +
    "another seed may change. In the figures above, a thin curve is that of a member.",
  tabulate(models) {
    const several = models.filter(({ members }) => members !== undefined);
    if (several.length === 0) return undefined;
    const measured = several.map(({ members }) => members!.map((results) => measure(results)));
    const rows = Object.entries(measuresOf(models[0]!.results.targets)).map(([name, { label, digits }]) => [
      label,
      ...several.flatMap(({ summary }, i) => {
        const { mean, deviation } = spreadOf(measured[i]!.map((values) => values[name] ?? null));
        return [`${formatReal(mean, digits)} \u00b1 ${formatReal(deviation, digits)}`, formatReal(summary.values[name], digits)];
      }),
    ]);
    return {
      columns: ["measure", ...several.flatMap(({ name, members }) => [`${members!.length} members of ${name}`, "mean prediction"])],
      rows,
    };
  },
};
