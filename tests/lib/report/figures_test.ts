/** @file Figures and tables of whatever a test split may hold: one class, one image, equal, huge or infinite numbers. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import { table } from "../../../lib/cli/console.ts";
import { measuresTable } from "../../../lib/cli/evaluate.ts";
import { histogram } from "../../../lib/cli/histogram.ts";
import { MEASURES } from "../../../lib/eval/measures.ts";
import { summarise } from "../../../lib/eval/summary.ts";
import { TestResults } from "../../../lib/eval/test_results.ts";
import { formatReal } from "../../../lib/format.ts";
import { Random } from "../../../lib/random.ts";
import { Chart, rangeOf, ticksOf } from "../../../lib/report/chart.ts";
import { figuresOf, reportPage } from "../../../lib/report/report_page.ts";
import type { ReportModel } from "../../../lib/report/section.ts";
import { drawSections, fileNames } from "../../../lib/report/sections.ts";
import { escapeText, figureDocument } from "../../../lib/report/svg.ts";
import { describeComparison } from "../../../lib/report/words.ts";

/** Pairs of numbers of all sizes: near each other, far apart, and both. */
function* pairs(count: number): Generator<[number, number]> {
  const random = new Random(1, 99);
  const sign = () => random.uniform() < 0.5 ? -1 : 1;
  const any = () => random.uniform() < 0.1 ? 0 : sign() * 10 ** (640 * (random.uniform() - 0.5));
  for (let i = 0; i < count; i++) {
    const a = random.uniform() < 0.5 ? any() : 1000 * random.uniform();
    const near = a * (1 + sign() * 10 ** (-17 * random.uniform()));
    yield [a, random.uniform() < 0.5 ? any() : near];
  }
}

Deno.test("rangeOf() gives a finite range around any numbers, and ticksOf() a few rising ticks in it", () => {
  for (const [a, b] of [...pairs(100_000), [NaN, NaN], [NaN, 3], [Infinity, -Infinity], [5e-324, 0], [1e308, -1e308]] as const) {
    const [low, high] = rangeOf([a, b]);
    assert(low < high && Number.isFinite(high - low), `range of ${a} and ${b}: ${low} to ${high}`);
    for (const value of [a, b].filter((value) => Math.abs(value) <= 1e300)) {
      const beyond = Math.max(low - value, value - high) / (high - low);
      assert(beyond < 1e-9, `${value} is not in ${low} to ${high}`);
    }
    const ticks = ticksOf({ domain: [low, high] });
    assert(ticks.length >= 2 && ticks.length <= 8, `${ticks.length} ticks from ${low} to ${high}`);
    ticks.forEach((tick, i) => assert(i === 0 || tick > ticks[i - 1]!, `ticks from ${low} to ${high}: ${ticks.join()}`));
  }
});

Deno.test("rangeOf() of no number is some range, and that of usual ones is round", () => {
  assertEquals(rangeOf([]), [0, 1]);
  assertEquals(rangeOf([31.9, 728.4]), [0, 750]);
  assertEquals(rangeOf([7, 7]), [6.5, 7.5]);
});

Deno.test("a chart has finite positions for any value", () => {
  const chart = new Chart({ title: "t", x: { label: "x", domain: [0, 1] }, y: { label: "y", domain: [0, 1e300] } });
  for (const value of [0, 1e308, -1e308, Infinity, -Infinity, 5e-324]) {
    assert(Math.abs(chart.x(value)) < 1e5 && Math.abs(chart.y(value)) < 1e5, `${value}`);
  }
});

/** Test splits that are hard to draw. */
const SPLITS: Readonly<Record<string, { readonly classes?: number; readonly rows: readonly (readonly number[])[] }>> = {
  "one image": { rows: [[1, 0.7, 100, 110]] },
  "two images that are alike": { rows: [[1, 0.5, 100, 100], [1, 0.5, 100, 100]] },
  "one class": { rows: Array.from({ length: 30 }, (_, i) => [0, i / 30, 100 + i, 105 + i]) },
  "equal scores and equal masses": { rows: Array.from({ length: 30 }, (_, i) => [i % 2, 0.5, 100, 100]) },
  "one image of a class": { rows: Array.from({ length: 30 }, (_, i) => [i === 3 ? 1 : 0, i / 30, 100 + i, 90]) },
  "huge masses": { rows: Array.from({ length: 30 }, (_, i) => [i % 2, i / 30, 1e200 * i, -1e200 * i]) },
  "masses too large for their squares and differences": {
    rows: Array.from({ length: 30 }, (_, i) => [i % 2, i / 30, 1.7e308 * (-1) ** i, -1.7e308 * (-1) ** i]),
  },
  "masses that differ in their last bits": { rows: Array.from({ length: 30 }, (_, i) => [i % 2, i / 30, 100 + i * 2e-14, 100]) },
  "scores of 0 and 1": { rows: Array.from({ length: 30 }, (_, i) => [i % 2, i % 2, 100 + i, 90]) },
  "five classes, two of which occur": { classes: 5, rows: Array.from({ length: 30 }, (_, i) => [i % 2 ? 4 : 1, 0.1, 100 + i, 90]) },
};

/** Rows of label, score, true and predicted mass. */
function resultsOf(rows: readonly (readonly number[])[], classes = 2): TestResults {
  const results = new TestResults(classes, rows.length);
  for (const [label, score, trueMass, mass] of rows as readonly [number, number, number, number][]) {
    results.add({ class: score > 0.5 ? 1 : 0, probabilities: [1 - score, score], targets: [mass] }, label, [trueMass]);
  }
  return results;
}

/** Models of a report with the weight file NAME.pt, that have seen nothing. */
async function reported(models: ReadonlyMap<string, TestResults>, histories: Readonly<Record<string, ReportModel["history"]>>) {
  const summary = await summarise(models, 1);
  const list = [...models].map(([name, results]): ReportModel => ({
    name,
    results,
    summary: summary.models.get(name)!,
    history: histories[name] ?? {},
    weights: `${name}.pt`,
    seen: { labelled: 0, unlabelled: 0 },
  }));
  return { summary, models: list };
}

for (const [name, { rows, classes }] of Object.entries(SPLITS)) {
  Deno.test(`a report of ${name} shows what is defined, and no number that is none`, async () => {
    const other = resultsOf(rows.map(([label, ...rest]) => [label!, ...rest]), classes);
    const results = new Map([["a", resultsOf(rows, classes)], ["b", other]]);
    const histories = { a: { val_loss: [NaN, 1, Infinity], train_loss: [2] }, b: { val_acc: [0.5] } };
    const { models, summary } = await reported(results, histories);
    const parts = drawSections(models);
    const page = reportPage({
      data: "f.h5",
      seed: 1,
      targets: [MASS],
      models,
      comparisons: summary.comparisons,
      notes: [],
      made: [],
    }, parts);
    const texts = [
      page,
      measuresTable(summary),
      ...summary.comparisons.map((comparison) => describeComparison(comparison, [MASS])),
    ];
    const figures = parts.flatMap((part) => part.figures);
    for (const text of [...texts, ...figures.map(figureDocument)]) {
      assert(!/NaN|undefined|Infinity|null/.test(text), text.slice(0, 2000));
    }
    assertEquals(figuresOf(page), figures.map((figure) => `figures/${figure.name}.svg`));
    for (const heading of ["Confusion", "Class by class", "Predicted and true mass", "Mass residuals", "Training"]) {
      assertStringIncludes(page, heading);
    }
    for (const { label, definition } of Object.values(MEASURES)) {
      assertStringIncludes(page, `<td>${escapeText(label)}</td>`);
      assertStringIncludes(page, escapeText(definition));
      assertStringIncludes(measuresTable(summary), label);
    }
  });
}

Deno.test("a report shows targets of any names and units as they are, each by itself", async () => {
  const targets = [{ name: "m <b>&", unit: '"GeV"/c' }, { name: "../pT", unit: "" }];
  const results = new TestResults(2, 30, targets);
  for (let i = 0; i < 30; i++) {
    const score = ((7 * i) % 30) / 30;
    results.add({ class: score > 0.5 ? 1 : 0, probabilities: [1 - score, score], targets: [100 + i, 1e-4 * i] }, i % 2, [
      90 + i,
      1e-4,
    ]);
  }
  const { models, summary } = await reported(new Map([["a", results], ["b", results]]), {});
  const parts = drawSections(models, targets), figures = parts.flatMap((part) => part.figures);
  const page = reportPage({ data: "f.h5", seed: 1, targets, models, comparisons: summary.comparisons, notes: [], made: [] }, parts);
  for (const text of [page, ...figures.map(figureDocument)]) assert(!/<b>|NaN|undefined|Infinity/.test(text), text.slice(0, 2000));
  assertStringIncludes(page, "<h2>Predicted and true m &lt;b&gt;&amp;</h2>");
  assertStringIncludes(page, escapeText('m <b>& MSE (("GeV"/c)^2)'));
  assertEquals(summary.models.get("a")!.values["../pT_mae"]!.toPrecision(4), (1e-4 * 407 / 30).toPrecision(4));
  const names = figures.map(({ name }) => name);
  assertEquals([new Set(names).size, names.filter((name) => !/^[\w.-]+$/.test(name))], [names.length, []]);
});

Deno.test("figures of many images are small: a ROC curve of 200,000 points, masses of as many", async () => {
  const random = new Random(2, 99);
  const rows = Array.from({ length: 200_000 }, (_, i) => [i % 2, random.uniform(), 100 + random.normal(), 100 + random.normal()]);
  const { models: [few] } = await reported(new Map([["a", resultsOf(rows.slice(0, 100))]]), {});
  const models = [{ ...few!, results: resultsOf(rows) }];
  const page = reportPage(
    { data: "f.h5", seed: 1, targets: [MASS], models, comparisons: [], notes: [], made: [] },
    drawSections(models),
  );
  assert(page.length < 2e6, `${page.length} characters`);
});

Deno.test("fileNames() tells apart names that differ in signs, capitals or length alone, and leaves plain names as they are", () => {
  const long = "x".repeat(300);
  const names = [
    "scratch",
    "für",
    "fär",
    "f-r",
    "f-r-2",
    "Scratch",
    "10",
    "9",
    "__proto__",
    "",
    "..",
    "a/b",
    "a\\b",
    "残差",
    "質量",
    "residuals",
  ];
  const files = fileNames([...names, long, `${long}y`]);
  const found = [...files.values()];
  assertEquals(new Set(found.map((file) => file.toLowerCase())).size, names.length + 2);
  for (const file of found) assert(/^[\w.-]*$/.test(file) && file.length < 100, file);
  assertEquals(["scratch", "10", "__proto__"].map((name) => files.get(name)), ["scratch", "10", "__proto__"]);
  assert(files.get("residuals") !== "residuals", "mass-residuals.svg is another figure");
});

Deno.test("escapeText() makes text that any reader of XML takes", () => {
  assertEquals(escapeText(`<b a="1">&\u0000\u001b\uffff\ud800\n`), "&lt;b a=&quot;1&quot;&gt;&amp;\ufffd\ufffd\ufffd\ufffd\n");
});

Deno.test("formatReal() has a form for what is not defined, infinite, or huge", () => {
  const said = [null, Infinity, -Infinity, 0.12345, -5, 123456789.5, 1e300].map((value) => formatReal(value, 2));
  assertEquals(said, ["not defined", "\u221e", "-\u221e", "0.12", "-5.00", "123456789.50", "1.00000e+300"]);
});

Deno.test("table() sets columns of numbers to the right, also where one is infinite or not defined, and takes any number of rows", () => {
  assertEquals(table(["", "a"], [["x", "1.5"], ["y", "\u221e"], ["z", "not defined"]]).split("\n").slice(2), [
    "x          1.5",
    "y            \u221e",
    "z  not defined",
  ]);
  assertEquals(table(["a"], Array.from({ length: 300_000 }, () => ["x"])).length, 2 * 300_002 - 1);
});

Deno.test("histogram() counts values of any size, and as many as there are", () => {
  const counts = (values: number[], low: number, high: number) =>
    histogram(values, low, high, 4).split("\n").map((line) => Number(line.trim().split(/ +/)[1]));
  assertEquals(counts([1, 2, 3, 1e30, -1e30, 7.9], 0, 8), [2, 1, 0, 2].with(1, 2).with(0, 2));
  assertEquals(counts([1e30, 1e30], 1e30, 1e30 + 8), [2, 0, 0, 0]);
  assertEquals(counts(new Array(300_000).fill(5), 0, 8), [0, 0, 300_000, 0]);
});
