/** @file Probes on features whose answer is known. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import { measure } from "../../../lib/eval/measures.ts";
import { linearProbe, type ProbeData } from "../../../lib/eval/linear_probe.ts";
import { neighbourProbe } from "../../../lib/eval/neighbour_probe.ts";
import { Matrix } from "../../../lib/eval/regression.ts";
import { Random } from "../../../lib/random.ts";

/** Features around a corner for each class, the last of them the mass in other units; every fifth image is a test image. */
function clusters(classes: number, spread: number): ProbeData {
  const random = new Random(3, 99);
  const labels = Array.from({ length: 300 }, (_, i) => i % classes);
  const mass = labels.map((label) => 100 + 40 * label + 10 * random.normal());
  const features = labels.map((label, i) => {
    const corner = Array.from({ length: classes }, (_, c) => (c === label ? 1 : 0) + spread * random.normal());
    return [...corner, 7, (mass[i]! - 90) / 3];
  });
  const numbers = Uint32Array.from(labels.keys());
  return {
    features: new Matrix(classes + 2, Float64Array.from(features.flat())),
    labels,
    classes,
    targets: [{ ...MASS, values: mass }],
    split: { train: numbers.filter((i) => i % 5), test: numbers.filter((i) => i % 5 === 0) },
  };
}

for (const classes of [2, 3]) {
  Deno.test(`linearProbe() finds ${classes} classes that planes divide, and a mass that is linear in the features`, async () => {
    const results = await linearProbe(clusters(classes, 0.1));
    const { accuracy, mass_mae, roc_auc } = measure(results);
    assertEquals(accuracy, 1);
    assertEquals(roc_auc, classes === 2 ? 1 : null);
    assert(mass_mae! < 0.2, `mass error ${mass_mae}`);
  });

  Deno.test(`neighbourProbe() finds ${classes} classes that lie apart`, async () => {
    const { accuracy, mass_mae } = measure(await neighbourProbe(clusters(classes, 0.1), 5));
    assertEquals(accuracy, 1);
    assert(mass_mae! < 5, `mass error ${mass_mae}`);
  });
}

Deno.test("neighbourProbe() with one neighbour says of a copy what is known of the original", async () => {
  const data = clusters(2, 3);
  const { train } = data.split;
  const results = await neighbourProbe({ ...data, split: { train, test: train } }, 1);
  assertEquals(measure(results).accuracy, 1);
  assertAlmostEquals(measure(results).mass_mae!, 0, 1e-9);
});

Deno.test("neighbourProbe() with as many neighbours as images says the same of every image", async () => {
  const data = clusters(2, 0.1);
  const results = await neighbourProbe(data, 1e6);
  const mean = data.split.train.reduce((sum, i) => sum + data.targets[0]!.values[i]!, 0) / data.split.train.length;
  for (const mass of results.targets[0]!.predicted) assertAlmostEquals(mass, mean, 1e-9);
});

Deno.test("probes learn nothing from features that do not depend on the class", async () => {
  const data = clusters(2, 0.1);
  const random = new Random(5, 99);
  const features = new Matrix(4, Float64Array.from({ length: 4 * data.labels.length }, () => random.normal()));
  const noise = { ...data, features };
  for (const results of [await linearProbe(noise), await neighbourProbe(noise, 20)]) {
    assert(measure(results).accuracy! < 0.75, `accuracy ${measure(results).accuracy}`);
  }
});
