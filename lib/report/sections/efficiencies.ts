/** @file How much of class 1 is kept where a fixed share of class 0 passes. */

import { effectiveImages, efficiencyAt } from "../../eval/curves.ts";
import { formatReal } from "../../format.ts";
import { type Section, shareCell } from "../section.ts";

/** Background rejections: one over the share of class 0 that passes. */
const REJECTIONS = [5, 10, 20, 50, 100];

/** Signal efficiencies at fixed background rejections. */
export const efficiencies: Section = {
  heading: "Efficiency at fixed background rejection",
  caption:
    "Share of class 1 that is kept where one in so many images of class 0 passes, and the score that does it. Intervals are 95 % " +
    "(Wilson), of the images of class 1 alone: that the threshold is found on the same images is not in them. Rejections of which no whole image of " +
    "class 0 would pass are left out.",
  tabulate(models) {
    if (models.some(({ results, summary }) => results.classes !== 2 || summary.values["roc_auc"] === null)) return undefined;
    const background = effectiveImages(models[0]!.results, 0);
    const rejections = REJECTIONS.filter((rejection) => rejection <= background);
    if (rejections.length === 0) return undefined;
    const rows = models.flatMap(({ name, results }) =>
      rejections.map((rejection) => {
        const { signal, threshold } = efficiencyAt(results, 1 / rejection)!;
        return [
          `${models.length > 1 ? `${name}, ` : ""}1 in ${rejection}`,
          shareCell(signal, effectiveImages(results, 1)),
          threshold === Infinity ? "none" : formatReal(threshold, 3),
        ];
      })
    );
    return { columns: ["class 0 that passes", "class 1 that is kept", "score above"], rows };
  },
};
