/**
 * @file What hand-made features reach: a floor for any trained model.
 *
 * Logistic regression for the class (Newton's method) and ridge regression for the mass, on standardised features
 * and their squares, in double precision. Fitted on the training images of a split, judged on its test images.
 */

import type { Split } from "../data/split.ts";
import { type Judged, ranked } from "./measures.ts";

/** Weight of the squared coefficients, for one image; the constant is free. */
const RIDGE = 1e-3;
const NEWTON_STEPS = 12;

/**
 * Fits and judges the regressions.
 *
 * @param features of each image
 * @param labels 0 or 1 for each image
 * @param mass of each image in GeV
 * @returns what the regressions say of the test images
 */
export function handMadeFloor(
  features: readonly Float64Array[],
  labels: ArrayLike<number>,
  mass: ArrayLike<number>,
  split: Split,
): Judged {
  const rows = expand(features, split.train);
  const classifier = logisticRegression(rows, split.train, labels);
  const regressor = ridgeRegression(rows, split.train, mass);
  const test = Array.from(split.test);
  const scores = test.map((i) => sigmoid(dot(classifier, rows[i]!)));
  return ranked({
    classes: 2,
    labels: test.map((i) => labels[i]!),
    predicted: scores.map((score) => score > 0.5 ? 1 : 0),
    scores,
    trueMass: test.map((i) => mass[i]!),
    mass: test.map((i) => dot(regressor, rows[i]!)),
  });
}

/** A one, the features standardised over some images, and their squares. */
function expand(features: readonly Float64Array[], over: Uint32Array): Float64Array[] {
  const width = features[0]!.length;
  const mean = new Float64Array(width), std = new Float64Array(width);
  for (const i of over) for (let f = 0; f < width; f++) mean[f]! += features[i]![f]! / over.length;
  for (const i of over) for (let f = 0; f < width; f++) std[f]! += (features[i]![f]! - mean[f]!) ** 2 / over.length;
  return features.map((row) => {
    const standard = row.map((value, f) => (value - mean[f]!) / Math.sqrt(std[f]! || 1));
    return Float64Array.of(1, ...standard, ...standard.map((value) => value ** 2 - 1));
  });
}

function logisticRegression(rows: readonly Float64Array[], over: Uint32Array, labels: ArrayLike<number>): Float64Array {
  const width = rows[0]!.length;
  const beta = new Float64Array(width);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const hessian = ridge(width, over.length), gradient = beta.map((value, f) => f === 0 ? 0 : -RIDGE * over.length * value);
    for (const i of over) {
      const row = rows[i]!;
      const p = sigmoid(dot(beta, row));
      accumulate(hessian, row, p * (1 - p));
      for (let f = 0; f < width; f++) gradient[f]! += (labels[i]! - p) * row[f]!;
    }
    solve(hessian, gradient).forEach((change, f) => beta[f]! += change);
  }
  return beta;
}

function ridgeRegression(rows: readonly Float64Array[], over: Uint32Array, goal: ArrayLike<number>): Float64Array {
  const width = rows[0]!.length;
  const normal = ridge(width, over.length), right = new Float64Array(width);
  for (const i of over) {
    accumulate(normal, rows[i]!, 1);
    for (let f = 0; f < width; f++) right[f]! += goal[i]! * rows[i]![f]!;
  }
  return solve(normal, right);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function ridge(width: number, images: number): Float64Array[] {
  return Array.from({ length: width }, (_, f) => {
    const row = new Float64Array(width);
    row[f] = f === 0 ? 0 : RIDGE * images;
    return row;
  });
}

function accumulate(matrix: Float64Array[], row: Float64Array, weight: number): void {
  for (let a = 0; a < row.length; a++) for (let b = 0; b < row.length; b++) matrix[a]![b]! += weight * row[a]! * row[b]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let f = 0; f < a.length; f++) sum += a[f]! * b[f]!;
  return sum;
}

/** Solves a symmetric positive definite system by Cholesky's method; the matrix is overwritten. */
function solve(matrix: Float64Array[], right: Float64Array): Float64Array {
  const n = right.length;
  const x = Float64Array.from(right);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k++) sum -= matrix[i]![k]! * matrix[j]![k]!;
      matrix[i]![j] = i === j ? Math.sqrt(sum) : sum / matrix[j]![j]!;
    }
    for (let k = 0; k < i; k++) x[i]! -= matrix[i]![k]! * x[k]!;
    x[i]! /= matrix[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= matrix[k]![i]! * x[k]!;
    x[i]! /= matrix[i]![i]!;
  }
  return x;
}
