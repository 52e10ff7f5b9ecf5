/** @file Losses and measures of validation, in double precision: as the kernels of training compute them, without a training step. */

import { argmax } from "../arrays.ts";
import { exp, log } from "../elementary.ts";

/** What each row counts in a mean; all alike if not given. */
type RowWeights = ArrayLike<number> | undefined;

/** Share of rows where both agree. */
export function accuracy(predicted: ArrayLike<number>, labels: ArrayLike<number>, weights?: RowWeights): number {
  return mean(labels, (label, i) => predicted[i] === label ? 1 : 0, weights);
}

/** Mean of |a - b|. */
export function meanAbsoluteError(a: ArrayLike<number>, b: ArrayLike<number>, weights?: RowWeights): number {
  return mean(a, (x, i) => Math.abs(x - b[i]!), weights);
}

/** Mean of the cross entropy of each row of logits. */
export function crossEntropyLoss(logits: Float32Array, labels: ArrayLike<number>, weights?: RowWeights): number {
  const classes = logits.length / labels.length;
  return mean(labels, (label, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const largest = row[argmax(row)]!;
    return log(row.reduce((sum, x) => sum + exp(x - largest), 0)) + largest - row[label]!;
  }, weights);
}

/** Mean of the smooth L1 distance, bend at 1. */
export function smoothL1Loss(predicted: ArrayLike<number>, goal: ArrayLike<number>, weights?: RowWeights): number {
  return mean(predicted, (x, i) => {
    const d = Math.abs(x - goal[i]!);
    return d < 1 ? 0.5 * d * d : d - 0.5;
  }, weights);
}

function mean(values: ArrayLike<number>, term: (value: number, i: number) => number, weights: RowWeights): number {
  let sum = 0, all = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights?.[i] ?? 1;
    sum += weight * term(values[i]!, i);
    all += weight;
  }
  return sum / all;
}
