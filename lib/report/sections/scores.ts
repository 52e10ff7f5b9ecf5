/** @file How scores are distributed. */

import { binOf } from "../../eval/curves.ts";
import { Chart, series } from "../chart.ts";
import { className, countOf, type DrawnModel, percent, type Section } from "../section.ts";
import { element, escapeText, type Figure } from "../svg.ts";

/** A histogram of the scores for each model. */
export const scores: Section = {
  heading: "Scores",
  caption: "How the probability of class 1 is distributed in each true class. The less the two overlap, the better; " +
    "peaks at the wrong end are confident mistakes.",
  draw: (models) => models.every(({ results }) => results.classes === 2 && results.hasLabels) ? models.map(scoreFigure) : [],
};

/** Distributions of a model's score, one for each true class that occurs. */
function scoreFigure({ file, name, results: { labels, scores, weights } }: DrawnModel): Figure {
  const bins = 25;
  const classes = [0, 1].map((truth) => {
    const counts = new Array<number>(bins).fill(0);
    let total = 0;
    for (let i = 0; i < scores.length; i++) {
      if (labels[i] !== truth) continue;
      counts[binOf(scores[i]!, bins)]! += weights[i]!;
      total += weights[i]!;
    }
    return { truth, counts, total };
  }).filter(({ total }) => total > 0);
  const most = classes.flatMap(({ counts, total }) => counts.map((count) => count / total)).reduce((a, b) => Math.max(a, b), 0);
  const chart = new Chart({
    title: `${name}: scores of each class`,
    x: { label: "score: probability of class 1", domain: [0, 1] },
    y: { label: "share of the class in each bin", domain: [0, Math.ceil(most * 20) / 20] },
    legend: classes.map(({ truth }) => ({ text: `true ${className(truth, 2)}`, colour: series(truth).colour })),
  });
  for (const { truth, counts, total } of classes) {
    const { colour } = series(truth);
    counts.forEach((count, b) => {
      const share = count / total, x = chart.x(b / bins), y = chart.y(share);
      const tells = `true ${className(truth, 2)}, score ${(b / bins).toFixed(2)} to ${((b + 1) / bins).toFixed(2)}: ${
        countOf(count)
      }, ${percent(share)}`;
      const bar = { x, y, width: chart.x((b + 1) / bins) - x, height: chart.y(0) - y, fill: colour, "fill-opacity": 0.25 };
      chart.add(element("rect", bar, element("title", {}, escapeText(tells))));
    });
    const outline = counts.flatMap((count, b): [number, number][] => [[b / bins, count / total], [(b + 1) / bins, count / total]]);
    chart.line([[0, 0], ...outline, [1, 0]], { colour, dash: undefined });
  }
  return chart.figure(`scores-${file}`);
}
