/** @file Whether two models classify the same images with different success: McNemar's test, and Holm's correction where there are several. */

import type { TestResults } from "./test_results.ts";

/** Images that only one of two models classifies right, each counted once, and the exact McNemar test on their numbers. */
export function onlyOneRight(first: TestResults, second: TestResults): { only: [number, number]; mcnemar: number } {
  const only: [number, number] = [0, 0];
  for (let i = 0; first.hasLabels && i < first.labels.length; i++) {
    const label = first.labels[i];
    const [a, b] = [first.predicted[i] === label, second.predicted[i] === label];
    if (a && !b) only[0]++;
    if (b && !a) only[1]++;
  }
  return { only, mcnemar: binomialTest(...only) };
}

/**
 * Probabilities of several tests, raised so that the chance of one false alarm among all is what each says (Holm, "A simple sequentially
 * rejective multiple test procedure", 1979).
 *
 * @param values null for a test that is not defined, which does not count
 */
export function holm(values: readonly (number | null)[]): (number | null)[] {
  const order = [...values.keys()].filter((i) => values[i] !== null).sort((a, b) => values[a]! - values[b]!);
  const adjusted: (number | null)[] = values.map(() => null);
  let most = 0;
  order.forEach((i, rank) => adjusted[i] = most = Math.min(1, Math.max(most, (order.length - rank) * values[i]!)));
  return adjusted;
}

/**
 * Two-sided exact binomial test of equal probabilities.
 *
 * McNemar, "Note on the sampling error of the difference between correlated proportions" (1947), in its exact form.
 */
export function binomialTest(a: number, b: number): number {
  const n = a + b;
  // term(k) = n! / (k! (n - k)!) / 2^n, by its logarithm
  let term = -n * Math.LN2, tail = 0;
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += Math.exp(term);
    term += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}
