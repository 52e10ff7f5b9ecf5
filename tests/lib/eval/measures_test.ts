/** @file Measures and their uncertainties against scikit-learn and scipy (tests/fixtures/measures/make.py). */

import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { Bootstrap, quantile } from "../../../lib/eval/bootstrap.ts";
import { balancedWeights } from "../../../lib/data/event_weights.ts";
import { calibration, calibrationError, efficiencyAt, rocCurve, wilsonInterval } from "../../../lib/eval/curves.ts";
import { binomialTest, holm, onlyOneRight } from "../../../lib/eval/mcnemar.ts";
import { measure, MEASURES } from "../../../lib/eval/measures.ts";
import { responseBins } from "../../../lib/eval/response.ts";
import { Sampler } from "../../../lib/eval/sample.ts";
import { Interrupted } from "../../../lib/interrupted.ts";
import { summarise } from "../../../lib/eval/summary.ts";
import { TestResults } from "../../../lib/eval/test_results.ts";

type Columns = Record<"labels" | "scores" | "predicted" | "trueMass" | "mass", number[]>;
type Values = Record<string, number>;

const golden: Columns & {
  counts: number[];
  other: number[];
  weights: number[];
  once: Values;
  counted: Values;
  weighted: Values;
  balanced: number[];
  efficiencies: [rejection: number, signal: number][];
  wilson: [count: number, of: number, low: number, high: number][];
  confusion: number[][];
  mcnemar: number;
} = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/measures/measures.json", import.meta.url)),
);
const results = resultsOf(golden);
const other = resultsOf({ ...golden, predicted: golden.other });

function resultsOf({ labels, predicted, scores, trueMass, mass }: Columns, classes = 2, weights?: number[]): TestResults {
  const results = new TestResults(classes, labels.length);
  labels.forEach((label, i) => {
    const prediction = { class: predicted[i]!, probabilities: [1 - scores[i]!, scores[i]!], targets: [mass[i]!] };
    results.add(prediction, label, [trueMass[i]!], weights?.[i]);
  });
  return results;
}

Deno.test("measure() is scikit-learn's, to 1e-12", () => {
  const values = measure(results);
  for (const [name, wanted] of Object.entries(golden.once)) {
    assertAlmostEquals(values[name]!, wanted, 1e-12 * Math.max(1, wanted), name);
  }
  assertEquals(Object.keys(golden.once).toSorted(), Object.keys(MEASURES).toSorted());
});

Deno.test("measure() of a resample is scikit-learn's with sample weights", () => {
  const values = measure(results, golden.counts);
  for (const [name, wanted] of Object.entries(golden.counted)) {
    assertAlmostEquals(values[name]!, wanted, 1e-12 * Math.max(1, wanted), name);
  }
});

Deno.test("measures, ROC curve and calibration of weighted images are scikit-learn's, and images of weight 0 might be missing", () => {
  const weighted = resultsOf(golden, 2, golden.weights), values = measure(weighted);
  for (const [name, wanted] of Object.entries(golden.weighted)) {
    assertAlmostEquals(values[name]!, wanted, 1e-12 * Math.max(1, wanted), name);
  }
  let area = 0, before = { fpr: 0, tpr: 0 };
  for (const point of rocCurve(weighted)) {
    area += (point.fpr - before.fpr) * (point.tpr + before.tpr) / 2;
    before = point;
  }
  assertAlmostEquals(area, golden.weighted["roc_auc"]!, 1e-12);
  assertEquals(before, { ...before, fpr: 1, tpr: 1 });
  const some = golden.weights.map((weight, i) => i % 3 === 0 ? 0 : weight), kept = (_: number, i: number) => i % 3 !== 0;
  const columns = ["labels", "scores", "predicted", "trueMass", "mass"] as const;
  const left = Object.fromEntries(columns.map((name) => [name, golden[name].filter(kept)])) as Columns;
  const with0 = measure(resultsOf(golden, 2, some)), without = measure(resultsOf(left, 2, some.filter(kept)));
  for (const [name, value] of Object.entries(with0)) assertAlmostEquals(value!, without[name]!, 1e-9, name);
});

Deno.test("balancedWeights() is scikit-learn's compute_class_weight, and counts event weights", () => {
  const ones = golden.labels.map(() => 1);
  balancedWeights(golden.labels, ones, 2).forEach((weight, c) => assertAlmostEquals(weight, golden.balanced[c]!, 1e-12));
  assertEquals(balancedWeights([0, 0, 1, 1], [1, 2, 4, 2], 3), [1.5, 0.75, 1]);
});

Deno.test("wilsonInterval() is scipy's, within 0 and 1 and never empty", () => {
  for (const [count, of, low, high] of golden.wilson) {
    const interval = wilsonInterval(count / of, of);
    [low, high].forEach((end, i) => assertAlmostEquals(interval[i]!, end, 1e-12));
  }
});

Deno.test("efficiencyAt() is the point of scikit-learn's ROC curve, of weighted images too", () => {
  for (const [rejection, signal] of golden.efficiencies) {
    assertAlmostEquals(efficiencyAt(resultsOf(golden, 2, golden.weights), 1 / rejection)!.signal, signal, 1e-12);
  }
});

Deno.test("holm() raises probabilities in their order, and leaves out what is not defined", () => {
  assertEquals(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p!.toFixed(12))), [0.03, 0.06, 0.06, 0.02]);
  assertEquals(holm([null, 0.5, 0.9]), [null, 1, 1]);
});

Deno.test("responseBins() gives median and width of predicted over true mass where they are known", () => {
  const count = 600, made = new TestResults(2, count);
  // predicted is 1.1 times the true mass, give or take a tenth that grows evenly within each bin
  for (let i = 0; i < count; i++) {
    const mass = 50 + i, share = (i % 100) / 99;
    made.add({ class: 0, probabilities: [1, 0], targets: [mass * (1 + 0.2 * share)] }, 0, [mass]);
  }
  const bins = responseBins(made, 0, made.targets[0]!.truth, 6);
  assertEquals(
    bins.map(({ from, to, rows }) => [from, to, rows.length]),
    [0, 1, 2, 3, 4, 5].map((b) => [50 + 100 * b, 149 + 100 * b, 100]),
  );
  for (const { response, resolution } of bins) {
    assertAlmostEquals(response.median, 1.1, 1e-9);
    assertAlmostEquals(resolution, 0.34 * 0.2 / 1.1, 1e-9);
  }
});

Deno.test("the confusion matrix has a row for each true class", () => {
  assertEquals(new Sampler(results).sample().confusion, golden.confusion);
});

Deno.test("onlyOneRight() is scipy's exact McNemar test", () => {
  assertAlmostEquals(onlyOneRight(results, other).mcnemar, golden.mcnemar, 1e-10);
  assertEquals(binomialTest(0, 0), 1);
});

Deno.test("rocCurve() encloses the area that measure() gives", () => {
  const points = [...rocCurve(results)];
  let area = 0;
  for (let i = 1; i < points.length; i++) area += (points[i]!.fpr - points[i - 1]!.fpr) * (points[i]!.tpr + points[i - 1]!.tpr) / 2;
  assertAlmostEquals(area, golden.once["roc_auc"]!, 1e-12);
});

Deno.test("measures of three classes leave out what only two classes have", () => {
  const three = resultsOf({
    labels: [0, 1, 2, 2],
    predicted: [0, 1, 2, 1],
    scores: [0, 1, 0, 0.5],
    trueMass: [1, 2, 3, 4],
    mass: [1, 2, 3, 4],
  }, 3);
  const { accuracy, roc_auc, background_rejection, f1, mass_r2 } = measure(three);
  assertEquals([accuracy, roc_auc, background_rejection, mass_r2], [0.75, null, null, 1]);
  assertAlmostEquals(f1!, (1 + 2 / 3 + 2 / 3) / 3, 1e-12);
});

Deno.test("bootstrap intervals hold the value, have the width of the standard error, and are the same each time", async () => {
  const { accuracy } = (await Bootstrap.draw([results], 3)).intervals(0);
  const value = golden.once["accuracy"]!;
  const standardError = Math.sqrt(value * (1 - value) / golden.labels.length);
  assert(accuracy![0] < value && value < accuracy![1]);
  assertAlmostEquals(accuracy![1] - accuracy![0], 2 * 1.96 * standardError, 0.4 * standardError);
  assertEquals((await Bootstrap.draw([results], 3)).intervals(0).accuracy, accuracy);
});

Deno.test("a model does not differ from itself, and a worse one does", async () => {
  const models = new Map([["same", results], ["worse", other], ["scratch", results]]);
  const [same, worse] = (await summarise(models, 1)).comparisons;
  assertEquals([same!.model, same!.baseline, same!.mcnemar, same!.differences.accuracy!.p], ["same", "scratch", 1, 1]);
  assert(worse!.differences.accuracy!.difference < 0);
});

Deno.test("calibration() finds honest probabilities honest and others not", () => {
  const scores = Array.from({ length: 1000 }, (_, i) => (i % 10) / 10 + 0.05);
  const columns = { predicted: scores.map(() => 0), trueMass: scores, mass: scores };
  // in the bin at p, a share p of the images is of class 1
  const honest = resultsOf({ ...columns, scores, labels: scores.map((p, i) => Math.floor(i / 10) + 0.5 < 100 * p ? 1 : 0) });
  assertAlmostEquals(calibrationError(calibration(honest)), 0, 1e-9);
  assertEquals(calibration(honest).length, 10);
  const boastful = resultsOf({ ...columns, scores: scores.map(() => 0.95), labels: scores.map((_, i) => i % 2) });
  assertAlmostEquals(calibrationError(calibration(boastful)), 0.45, 1e-9);
});

/** Rows of label, predicted class, score, true and predicted mass. */
function rowsOf(rows: readonly (readonly [number, number, number, number, number])[], classes = 2): TestResults {
  const column = (c: number) => rows.map((row) => row[c]!);
  const [labels, predicted, scores, trueMass, mass] = [0, 1, 2, 3, 4].map(column) as [
    number[],
    number[],
    number[],
    number[],
    number[],
  ];
  return resultsOf({ labels, predicted, scores, trueMass, mass }, classes);
}

Deno.test("measure() of images of one class defines what needs no other, and nothing else", () => {
  const zeros = measure(rowsOf([[0, 0, 0.1, 100, 90], [0, 0, 0.4, 120, 130]]));
  assertEquals([zeros.accuracy, zeros.roc_auc, zeros.f1, zeros.background_rejection, zeros.mass_mae], [1, null, null, null, 10]);
  const mistaken = measure(rowsOf([[0, 1, 0.9, 100, 100], [0, 0, 0.4, 120, 120]]));
  assertEquals([mistaken.accuracy, mistaken.roc_auc, mistaken.f1], [0.5, null, 0]);
  assertEquals([...rocCurve(rowsOf([[1, 1, 0.9, 100, 100]]))], []);
});

Deno.test("measure() takes the mean of F1 over the classes that occur or are predicted, as scikit-learn does", () => {
  // f1_score([1, 1, 3], [1, 4, 3], average="macro") is (2/3 + 1 + 0) / 3
  const { f1 } = measure(rowsOf([[1, 1, 0, 1, 1], [1, 4, 0, 2, 2], [3, 3, 0, 3, 3]], 6));
  assertAlmostEquals(f1!, 5 / 9, 1e-12);
});

Deno.test("measure() has no R2 for masses that are equal, in the split or in a resample, however large they are", () => {
  for (const mass of [0, 0.1, 100.3, 1e15 / 3]) {
    assertEquals(measure(rowsOf([[0, 0, 0, mass, 1], [1, 1, 1, mass, 2], [1, 1, 1, mass, 3]])).mass_r2, null, `${mass}`);
    const one = rowsOf([[0, 0, 0, mass, 1], [1, 1, 1, 2 * mass + 1, 2], [1, 1, 1, 3 * mass + 1, 3]]);
    assertEquals(measure(one, [0, 3, 0]).mass_r2, null, `${mass}, resampled`);
  }
});

Deno.test("measure() of masses whose squares exceed all numbers has infinite errors, or none, and no NaN", () => {
  const { mass_mae, mass_mse, mass_rmse, mass_r2 } = measure(rowsOf([[0, 0, 0, 1e200, -1e200], [1, 1, 1, -1e200, 1e200]]));
  assertEquals([mass_mae, mass_mse, mass_rmse, mass_r2], [2e200, Infinity, Infinity, null]);
});

Deno.test("measures and curves of any scores come to an end, NaN included", () => {
  const scores = [NaN, 0.5, NaN, Infinity, -Infinity, 0.5, Infinity, NaN];
  const results = rowsOf(scores.map((score, i) => [i % 2, 0, score, i, NaN]));
  const { accuracy, mass_mae, mass_r2 } = measure(results);
  assertEquals([accuracy, mass_mae, mass_r2], [0.5, null, null]);
  assertEquals([...rocCurve(results)].at(-1)!.tpr, 1);
});

Deno.test("an interval is that of the resamples that define the measure, if nearly all do", async () => {
  const withOnes = (ones: number) => rowsOf(Array.from({ length: 200 }, (_, i) => [i < ones ? 1 : 0, 0, i % 7 / 7, i, i + 1]));
  // one of 200 is missing from 37 % of the resamples, one of five from 0.7 % of them
  const [rare, few] = await Promise.all([1, 5].map(async (ones) => (await Bootstrap.draw([withOnes(ones)], 3)).intervals(0)));
  assertEquals(rare!.roc_auc, null);
  assertEquals(rare!.accuracy!.every(Number.isFinite), true);
  const single = (await Bootstrap.draw([rowsOf([[0, 0, 0.2, 5, 6]])], 3)).intervals(0);
  assertEquals(Object.values(single).every((interval) => interval === null), true);
  const [low, high] = few!.roc_auc!;
  assert(low < measure(withOnes(5)).roc_auc! && high > measure(withOnes(5)).roc_auc!);
});

Deno.test("intervals and differences of infinite values are no NaN", async () => {
  // no background passes where half of the signal does, but in some resamples
  const rows = Array.from(
    { length: 40 },
    (_, i): [number, number, number, number, number] => [i % 2, i % 2, i % 2 + (i === 6 ? 1 : 0), i, i],
  );
  const perfect = rowsOf(rows.map(([label, ...rest]) => [label, rest[0], label, rest[2], rest[3]])), nearly = rowsOf(rows);
  const bootstrap = await Bootstrap.draw([perfect, nearly], 3);
  assertEquals(bootstrap.intervals(0).background_rejection, [Infinity, Infinity]);
  const values = [measure(perfect), measure(nearly)];
  const { background_rejection } = bootstrap.differences(0, 1, values);
  const { difference, interval, p } = background_rejection!;
  for (const value of [difference, ...interval!, p!]) assert(!Number.isNaN(value), `${difference}, ${interval}, ${p}`);
  assertEquals(bootstrap.differences(0, 0, values).background_rejection, { difference: 0, interval: [0, 0], p: 1 });
});

Deno.test("quantile() is linear between finite neighbours, and never NaN", () => {
  assertEquals(quantile([1, 2, 4], 0.75), 3);
  assertEquals(quantile([-Infinity, 1], 0.5), 1);
  assertEquals([0, 0.5, 0.6, 1].map((q) => quantile([1, 2, Infinity], q)), [1, 2, Infinity, Infinity]);
  assertEquals(quantile([Infinity, Infinity], 0.3), Infinity);
});

Deno.test("the bootstrap tells of its progress, and stops at a signal", async () => {
  const abort = new AbortController();
  let told = 0;
  const progress = (done: number, total: number) => {
    told = done / total;
    abort.abort();
  };
  await assertRejects(() => Bootstrap.draw([results], 3, { progress, signal: abort.signal }), Interrupted);
  assert(told > 0 && told <= 1);
});
