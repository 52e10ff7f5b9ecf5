/** @file Measures and their uncertainties against scikit-learn and scipy (tests/fixtures/metrics/make.py). */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { binomialTest, Bootstrap, onlyOneRight } from "../../../lib/eval/bootstrap.ts";
import {
  calibration,
  calibrationError,
  confusionMatrix,
  type Measure,
  measure,
  MEASURES,
  ranked,
  rocCurve,
} from "../../../lib/eval/measures.ts";
import { summarise } from "../../../lib/eval/summary.ts";

type Columns = Record<"labels" | "scores" | "predicted" | "trueMass" | "mass" | "counts" | "other", number[]>;
type Values = Record<Measure, number>;

const golden: Columns & { once: Values; counted: Values; confusion: number[][]; mcnemar: number } = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/metrics/measures.json", import.meta.url)),
);
const judged = ranked({ classes: 2, ...golden });
const other = ranked({ classes: 2, ...golden, predicted: golden.other });

Deno.test("measure() is scikit-learn's, to 1e-12", () => {
  const values = measure(judged);
  for (const name of MEASURES) assertAlmostEquals(values[name]!, golden.once[name], 1e-12 * Math.max(1, golden.once[name]), name);
});

Deno.test("measure() of a resample is scikit-learn's with sample weights", () => {
  const values = measure(judged, golden.counts);
  for (const name of MEASURES) {
    assertAlmostEquals(values[name]!, golden.counted[name], 1e-12 * Math.max(1, golden.counted[name]), name);
  }
});

Deno.test("confusionMatrix() has a row for each true class", () => assertEquals(confusionMatrix(judged), golden.confusion));

Deno.test("onlyOneRight() is scipy's exact McNemar test", () => {
  assertAlmostEquals(onlyOneRight(judged, other).mcnemar, golden.mcnemar, 1e-10);
  assertEquals(binomialTest(0, 0), 1);
});

Deno.test("rocCurve() encloses the area that measure() gives", () => {
  const points = [...rocCurve(judged)];
  let area = 0;
  for (let i = 1; i < points.length; i++) area += (points[i]!.fpr - points[i - 1]!.fpr) * (points[i]!.tpr + points[i - 1]!.tpr) / 2;
  assertAlmostEquals(area, golden.once.roc_auc, 1e-12);
});

Deno.test("measures of three classes leave out what only two classes have", () => {
  const three = ranked({
    classes: 3,
    labels: [0, 1, 2, 2],
    predicted: [0, 1, 2, 1],
    scores: [0, 1, 0, 0.5],
    trueMass: [1, 2, 3, 4],
    mass: [1, 2, 3, 4],
  });
  const { accuracy, roc_auc, background_rejection, f1, mass_r2 } = measure(three);
  assertEquals([accuracy, roc_auc, background_rejection, mass_r2], [0.75, null, null, 1]);
  assertAlmostEquals(f1!, (1 + 2 / 3 + 2 / 3) / 3, 1e-12);
});

Deno.test("bootstrap intervals hold the value, have the width of the standard error, and are the same each time", async () => {
  const { accuracy } = (await Bootstrap.draw([judged], 3)).intervals(0);
  const value = golden.once.accuracy;
  const standardError = Math.sqrt(value * (1 - value) / golden.labels.length);
  assert(accuracy![0] < value && value < accuracy![1]);
  assertAlmostEquals(accuracy![1] - accuracy![0], 2 * 1.96 * standardError, 0.4 * standardError);
  assertEquals((await Bootstrap.draw([judged], 3)).intervals(0).accuracy, accuracy);
});

Deno.test("a model does not differ from itself, and a worse one does", async () => {
  const models = new Map([["same", judged], ["worse", other], ["scratch", judged]]);
  const [same, worse] = (await summarise(models, 1)).comparisons;
  assertEquals([same!.model, same!.baseline, same!.mcnemar, same!.differences.accuracy!.p], ["same", "scratch", 1, 1]);
  assert(worse!.differences.accuracy!.difference < 0);
});

Deno.test("calibration() finds honest probabilities honest and others not", () => {
  const scores = Array.from({ length: 1000 }, (_, i) => (i % 10) / 10 + 0.05);
  const columns = { classes: 2, predicted: scores.map(() => 0), trueMass: scores, mass: scores };
  // in the bin at p, a share p of the images is of class 1
  const honest = ranked({ ...columns, scores, labels: scores.map((p, i) => Math.floor(i / 10) + 0.5 < 100 * p ? 1 : 0) });
  assertAlmostEquals(calibrationError(calibration(honest)), 0, 1e-9);
  assertEquals(calibration(honest).length, 10);
  const boastful = ranked({ ...columns, scores: scores.map(() => 0.95), labels: scores.map((_, i) => i % 2) });
  assertAlmostEquals(calibrationError(calibration(boastful)), 0.45, 1e-9);
});
