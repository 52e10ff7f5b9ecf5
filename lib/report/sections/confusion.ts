/** @file Confusion matrices. */

import { NOT_DEFINED } from "../../format.ts";
import { className, countOf, type DrawnModel, percent, type Section } from "../section.ts";
import { element, escapeText, type Figure, label } from "../svg.ts";

/** A confusion matrix for each model. */
export const confusion: Section = {
  heading: "Confusion",
  caption: "Rows are true classes, columns predicted ones. A good model has full cells on the diagonal; " +
    "compare the two off the diagonal to see which mistake it prefers.",
  draw: (models) => models.filter(({ results }) => results.hasLabels).map(confusionFigure),
};

/** A model's confusion matrix: rows are true classes, cells shares of the row. */
function confusionFigure({ file, name, summary: { confusion, values: { accuracy = null } } }: DrawnModel): Figure {
  const classes = confusion.length, cell = 300 / classes;
  const left = 110, top = 60;
  const cells = confusion.flatMap((row, truth) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count, predicted) => {
      const share = total === 0 ? 0 : count / total, text = total === 0 ? "no image" : percent(share);
      const x = left + predicted * cell, y = top + truth * cell;
      const tells = `true ${className(truth, classes)}, predicted ${className(predicted, classes)}: ${
        countOf(count)
      }, ${text} of the row`;
      const ink = share > 0.55 ? "var(--paper)" : "var(--ink)";
      const centred = { "text-anchor": "middle", style: `fill:${ink}` };
      return element("rect", { x, y, width: cell, height: cell, fill: "var(--panel)" }) +
        element(
          "rect",
          { x, y, width: cell, height: cell, fill: "var(--c0)", "fill-opacity": share },
          element("title", {}, escapeText(tells)),
        ) +
        label(x + cell / 2, y + cell / 2 - 2, text, { ...centred, "font-size": 18, "font-weight": 600 }) +
        label(x + cell / 2, y + cell / 2 + 18, countOf(count), centred);
    });
  });
  const axes = confusion.map((_, c) => {
    return label(left + (c + 0.5) * cell, top + 318, className(c, classes), { "text-anchor": "middle" }) +
      label(left - 8, top + (c + 0.5) * cell + 4, className(c, classes), { "text-anchor": "end" });
  });
  const title = `${name}: accuracy ${accuracy === null ? NOT_DEFINED : percent(accuracy)}`;
  return {
    name: `confusion-${file}`,
    title,
    width: 460,
    height: 430,
    body: label(left, 24, title, { class: "title", "font-size": 14 }) +
      label(left, 46, "share of each true class", { class: "soft" }) +
      cells.join("") + axes.join("") + label(left + 150, top + 344, "predicted class", { "text-anchor": "middle" }) +
      label(0, 0, "true class", { "text-anchor": "middle", transform: `translate(18 ${top + 150}) rotate(-90)` }),
  };
}
