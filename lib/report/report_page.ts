/** @file The report: one page of its own, without script or network, readable on paper and on a phone. */

import type { Target } from "../data/targets.ts";
import { measuresOf } from "../eval/measures.ts";
import { hasSeen } from "../eval/overlap.ts";
import { capital, type ReportInput, type ReportModel, type ReportTable } from "./section.ts";
import type { DrawnSection } from "./sections.ts";
import { element, escapeText, FIGURE_STYLE, namedFigures } from "./svg.ts";
import { describeComparison, measureRows, SEEN_MARK } from "./words.ts";

/** The whole page. */
export function reportPage(input: ReportInput, parts: readonly DrawnSection[]): string {
  const { data, seed, targets, models, comparisons, notes, made } = input;
  const unseen = models.some(({ seen }) => hasSeen(seen)) ? "" : " that no model has been trained on, as far as is known";
  const body = [
    element("h1", {}, seed === undefined ? "L2ViT on test images" : "L2ViT on the test split"),
    paragraph(
      `${models[0]!.summary.images} images of ${data}${unseen} (${
        seed === undefined ? "all of them" : `seed ${seed} of the split`
      }). ` +
        "Intervals are 95 %, by bootstrap over the test images. Point at a mark to see its numbers.",
    ),
    ...notes.map(paragraph),
    ...comparisons.map((comparison) =>
      element("p", { class: "comparison" }, escapeText(describeComparison(comparison, targets)).replaceAll("\n", "<br>"))
    ),
    measuresTable(models, targets),
    ...parts.map(({ heading, caption, figures, table }) =>
      element(
        "section",
        {},
        element("h2", {}, escapeText(heading)),
        paragraph(caption),
        element(
          "div",
          { class: "figures" },
          ...namedFigures(figures),
        ),
        table ? tableElement(table) : "",
      )
    ),
    definitions(models, targets, comparisons.length),
    termList("How this was made", made),
  ];
  return pageDocument("L2ViT on the test split", body);
}

/** A page of its own, without script or network. */
export function pageDocument(title: string, body: readonly string[]): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeText(title)}</title>
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
.comparison{border-left:4px solid var(--c0);padding-left:12px}
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
p,code,dd{overflow-wrap:anywhere}
pre{overflow-x:auto;background:var(--panel);padding:8px 12px;font-size:.85em}
@media screen and (max-width:640px){thead{display:none}table,tbody{display:block}
tr{display:block;border-bottom:1px solid var(--line);padding:6px 0}
td,td:first-child{display:flex;gap:.5em;border:0;padding:1px 0}td:first-child{font-weight:600}
td[data-model]::before{content:attr(data-model);margin-right:auto;color:var(--soft);overflow:hidden;text-overflow:ellipsis}}
@media print{main{max-width:none;padding:0}.figures{grid-template-columns:1fr 1fr}section,tr{break-inside:avoid}}`;

function paragraph(text: string): string {
  return element("p", {}, escapeText(text));
}

function measuresTable(models: readonly ReportModel[], targets: readonly Target[]): string {
  const titles = models.map(({ name, seen }) => name + (hasSeen(seen) ? SEEN_MARK : ""));
  const headings = titles.map((title) => element("th", { scope: "col" }, escapeText(title)));
  const rows = measureRows(models.map(({ summary }) => summary), targets).map(({ label, cells }) => {
    const columns = cells.map(({ value, interval }, i) =>
      element("td", { "data-model": titles[i] }, value, " ", element("span", { class: "interval" }, interval))
    );
    return element("tr", {}, element("td", {}, escapeText(label)), ...columns);
  });
  const head = element("thead", {}, element("tr", {}, element("th", {}, "measure"), ...headings));
  return element("div", { class: "scroll" }, element("table", {}, head, element("tbody", {}, ...rows)));
}

function definitions(models: readonly ReportModel[], targets: readonly Target[], comparisons: number): string {
  const measures = Object.values(measuresOf(targets)).map((
    { label, definition },
  ): [string, string] => [capital(label), definition]);
  const entries: [string, string][] = [
    ...measures,
    [
      "More than chance",
      "The probability of such a difference between equally good models is below 5 %." +
      (comparisons > 1
        ? ` Since ${comparisons} models are compared with the same one, the probabilities are corrected by Holm's method: 5 % is the chance ` +
          "that any of them seems to differ and does not."
        : ""),
    ],
    [
      "Not defined",
      "A measure that these images do not define, such as an area under a ROC curve where all are of one class; an interval where " +
      "more than 5 % of the resamples do not define the measure.",
    ],
    ...models.map(({ name, weights }): [string, string] => [`Weights of ${name}`, weights]),
  ];
  return termList("What the words mean", entries);
}

/** Terms and what they mean; meanings of several lines are set as they are. */
function termList(heading: string, entries: ReportInput["made"]): string {
  const list = entries.map(([term, meaning]) => {
    const shown = meaning.includes("\n") ? element("pre", {}, escapeText(meaning)) : escapeText(meaning);
    return element("dt", {}, escapeText(term)) + element("dd", {}, shown);
  });
  return element("section", {}, element("h2", {}, escapeText(heading)), element("dl", {}, ...list));
}

/** A table for a page. On a phone each row is a block of lines, its first cell the heading. */
export function tableElement({ columns, rows }: ReportTable): string {
  const head = columns.map((column) => element("th", { scope: "col" }, escapeText(column)));
  const body = rows.map((row) => {
    return element("tr", {}, ...row.map((cell, i) => element("td", i === 0 ? {} : { "data-model": columns[i] }, escapeText(cell))));
  });
  return element(
    "div",
    { class: "scroll" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)),
  );
}
