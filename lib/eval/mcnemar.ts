/** @file Whether two models classify the same images with different success: McNemar's test. */

import type { TestResults } from "./test_results.ts";

/** Images that only one of two models classifies right, and the exact McNemar test on their numbers. */
export function onlyOneRight(first: TestResults, second: TestResults): { only: [number, number]; mcnemar: number } {
  const only: [number, number] = [0, 0];
  for (let i = 0; i < first.labels.length; i++) {
    const label = first.labels[i];
    const [a, b] = [first.predicted[i] === label, second.predicted[i] === label];
    if (a && !b) only[0]++;
    if (b && !a) only[1]++;
  }
  return { only, mcnemar: binomialTest(...only) };
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
