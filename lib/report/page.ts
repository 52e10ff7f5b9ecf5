/** @file The report: one page of its own, without script or network, readable on paper and on a phone. */

import { describeComparison, formatMeasure, MEASURE_LABELS, SEEN_MARK } from "./words.ts";
import { hasSeen, type SeenImages } from "../eval/overlap.ts";
import { type Judged, MEASURES } from "../eval/measures.ts";
import type { Summary } from "../eval/summary.ts";
import { calibrationFigure, confusionFigure, fileNames, rocFigure, scoreFigure } from "./class_figures.ts";
import { curveFigures, type History } from "./curve_figures.ts";
import { massDomain, massFigure, residualFigure } from "./mass_figures.ts";
import { element, escapeText, type Figure, FIGURE_STYLE, figureElement } from "./svg.ts";

/** What a report is about. */
export interface ReportInput {
  /** Labelled file. */
  readonly data: string;
  /** Seed of the split. */
  readonly seed: number;
  /** Models by name, on the same test images. */
  readonly models: ReadonlyMap<string, Judged>;
  /** Training curves of each model. */
  readonly histories: ReadonlyMap<string, History>;
  /** Weight file of each model. */
  readonly weights: ReadonlyMap<string, string>;
  /** Their measures. */
  readonly summary: Summary;
  /** Images of the test set that each model has met before. */
  readonly seen: ReadonlyMap<string, SeenImages>;
  /** What a reader has to know before the numbers, a sentence each. */
  readonly notes: readonly string[];
}

/** A part of the report: figures side by side under one heading. */
export interface Section {
  readonly heading: string;
  /** What to look for. */
  readonly caption: string;
  readonly figures: readonly Figure[];
}

/** All figures of a report, with what to look for in them. */
export function sections({ models, histories, summary }: ReportInput): Section[] {
  const files = fileNames([...models.keys()]);
  const each = (draw: (file: string, name: string, judged: Judged) => Figure) =>
    [...models].map(([name, judged]) => draw(files.get(name)!, name, judged));
  const binary = [...models.values()].every(({ classes }) => classes === 2);
  const ranked = binary && [...summary.models.values()].every(({ roc_auc }) => roc_auc !== null);
  const domain = massDomain(models.values());
  const all: Section[] = [
    {
      heading: "Confusion",
      caption: "Rows are true classes, columns predicted ones. A good model has full cells on the diagonal; " +
        "compare the two off the diagonal to see which mistake it prefers.",
      figures: each((file, name) => confusionFigure(file, name, summary.models.get(name)!)),
    },
    {
      heading: "Scores",
      caption: "How the probability of class 1 is distributed in each true class. The less the two overlap, the better; " +
        "peaks at the wrong end are confident mistakes.",
      figures: binary ? each(scoreFigure) : [],
    },
    {
      heading: "ROC and calibration",
      caption:
        "ROC: the share of tops kept against the share of other jets that slip through, for every threshold; the curve further " +
        "up and left is better, the dashed diagonal is a guess. Calibration: whether a score of 0.8 means that 80 % are tops; points " +
        "above the diagonal are too modest, below it too sure. Bars are one standard error.",
      figures: [...(ranked ? [rocFigure(models, summary)] : []), ...(binary ? [calibrationFigure(models, summary)] : [])],
    },
    {
      heading: "Predicted and true mass",
      caption:
        "Each mark is a small cell of the plane, yellow where most images lie. On the dashed line prediction and truth agree; " +
        "a flat band means that the model falls back on a mean.",
      figures: each((file, name, judged) => massFigure(file, name, judged, summary.models.get(name)!, domain)),
    },
    {
      heading: "Mass residuals",
      caption:
        "Points are medians, bars hold the middle 68 % of the images, in bins with equally many images. Points off zero are a " +
        "bias at that mass; the length of a bar is the resolution.",
      figures: [residualFigure(models)],
    },
    {
      heading: "Training",
      caption: "Up to the epoch whose weights are judged here. Training curves that go on falling while validation rises mean " +
        "overfitting; training is measured with augmentation and dropout, so it may lie above validation.",
      figures: curveFigures(histories),
    },
  ];
  return all.filter(({ figures }) => figures.length > 0);
}

/** The whole page. */
export function reportPage(input: ReportInput, parts: readonly Section[]): string {
  const { summary, data, seed, notes } = input;
  const [judged] = [...input.models.values()];
  const unseen = [...input.seen.values()].some(hasSeen) ? "" : " that no model has been trained on, as far as is known";
  const body = [
    element("h1", {}, "L2ViT on the test split"),
    paragraph(
      `${judged!.labels.length} images of ${data}${unseen} (seed ${seed} of the split). ` +
        "Intervals are 95 %, by bootstrap over the test images. Point at a mark to see its numbers.",
    ),
    ...notes.map(paragraph),
    ...summary.comparisons.map((comparison) =>
      element("p", { class: "verdict" }, escapeText(describeComparison(comparison)).replace("\n", "<br>"))
    ),
    measuresTable(input),
    ...parts.map(({ heading, caption, figures }) =>
      element(
        "section",
        {},
        element("h2", {}, heading),
        paragraph(caption),
        element(
          "div",
          { class: "figures" },
          ...figures.map((figure) => element("figure", { id: figure.name }, figureElement(figure))),
        ),
      )
    ),
    definitions(input),
  ];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>L2ViT on the test split</title>
<style>${FIGURE_STYLE}
${PAGE_STYLE}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

/** Files of the figures that a page shows, as they are called in its folder. */
export function figuresOf(page: string): string[] {
  return Array.from(page.matchAll(/<figure id="([\w.-]+)">/g), ([, name]) => `figures/${name}.svg`);
}

const PAGE_STYLE = `body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2}
h2{font-size:1.25rem;margin:2.2em 0 .3em;border-top:1px solid var(--line);padding-top:1em}
p,dd,dt{max-width:46em}
.verdict{border-left:4px solid var(--c0);padding-left:12px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:5px 14px 5px 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.interval{color:var(--soft);font-size:.85em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:20px}
figure{margin:0}
svg.figure{display:block;width:100%;max-width:520px;height:auto}
dt{font-weight:600;margin-top:.7em}
dd{margin:0}
code{overflow-wrap:anywhere}
@media screen and (max-width:640px){thead{display:none}table,tbody{display:block}
tr{display:block;border-bottom:1px solid var(--line);padding:6px 0}
td,td:first-child{display:flex;gap:.5em;border:0;padding:1px 0}td:first-child{font-weight:600}
td[data-model]::before{content:attr(data-model);margin-right:auto;color:var(--soft);overflow:hidden;text-overflow:ellipsis}}
@media print{main{max-width:none;padding:0}.figures{grid-template-columns:1fr 1fr}section,tr{break-inside:avoid}}`;

function paragraph(text: string): string {
  return element("p", {}, escapeText(text));
}

function measuresTable({ summary, seen }: ReportInput): string {
  const title = (name: string) => name + (hasSeen(seen.get(name)!) ? SEEN_MARK : "");
  const names = [...summary.models.keys()];
  const head = element(
    "tr",
    {},
    element("th", {}, "measure"),
    ...names.map((name) => element("th", { scope: "col" }, escapeText(title(name)))),
  );
  const rows = MEASURES.map((measure) => {
    const cells = [...summary.models].map(([name, model]) => {
      const { value, interval } = formatMeasure(model, measure);
      return element("td", { "data-model": title(name) }, value, " ", element("span", { class: "interval" }, interval));
    });
    return element("tr", {}, element("td", {}, escapeText(MEASURE_LABELS[measure].text)), ...cells);
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function definitions({ weights }: ReportInput): string {
  const entries: [string, string][] = [
    ["Accuracy", "Share of images whose class is right."],
    ["ROC-AUC", "Probability that an image of class 1 scores higher than one of class 0."],
    ["F1", "Harmonic mean of precision and recall of class 1; over three classes or more, the mean over classes."],
    ["Background rejection at 50 % signal", "One over the share of class 0 that passes the threshold which keeps half of class 1."],
    ["Mass MAE, MSE, RMSE", "Mean absolute error, mean squared error and its root, in GeV."],
    ["Mass R2", "One less the mean squared error over the variance of the true mass: 0 for a model that always says the mean."],
    ["More than chance", "The probability of such a difference between equally good models is below 5 %."],
    [
      "Not defined",
      "A measure that these images do not define, such as an area under a ROC curve where all are of one class; an interval where " +
      "more than 5 % of the resamples do not define the measure.",
    ],
    ...[...weights].map(([name, path]): [string, string] => [`Weights of ${name}`, path]),
  ];
  const list = entries.map(([term, meaning]) => element("dt", {}, escapeText(term)) + element("dd", {}, escapeText(meaning)));
  return element("section", {}, element("h2", {}, "What the words mean"), element("dl", {}, ...list));
}
