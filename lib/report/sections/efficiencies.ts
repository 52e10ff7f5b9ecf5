/** @file How much of class 1 is kept where a fixed share of class 0 passes. */

import { effectiveImages, efficiencyAt } from "../../eval/curves.ts";
import { spreadOf } from "../../eval/spread.ts";
import { formatReal } from "../../format.ts";
import { percent, type Section, shareCell } from "../section.ts";

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
    const hasMembers = models.some(({ members }) => members !== undefined);
    const rows = models.flatMap(({ name, results, members = [] }) =>
      rejections.map((rejection) => {
        const { signal, threshold } = efficiencyAt(results, 1 / rejection)!;
        const ofMembers = members.map((member) => efficiencyAt(member, 1 / rejection)?.signal ?? null);
        return [
          `${models.length > 1 ? `${name}, ` : ""}1 in ${rejection}`,
          shareCell(signal, effectiveImages(results, 1)),
          threshold === Infinity ? "none" : formatReal(threshold, 3),
          ...(hasMembers ? [membersCell(ofMembers)] : []),
        ];
      })
    );
    const columns = ["class 0 that passes", "class 1 that is kept", "score above", ...(hasMembers ? ["by members"] : [])];
    return { columns, rows };
  },
};

/** Mean and deviation of what members keep, such as "81.2 % \u00b1 1.3"; empty without members. */
function membersCell(shares: readonly (number | null)[]): string {
  const { mean, deviation } = spreadOf(shares);
  return mean === null ? "" : `${percent(mean)} \u00b1 ${formatReal(deviation === null ? null : 100 * deviation, 1)}`;
}
