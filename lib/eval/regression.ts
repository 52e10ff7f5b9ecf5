/** @file Small regressions in double precision, on features: logistic, ridge. */

import { pauses, type WorkOptions } from "../interrupted.ts";

/** Weight of the squared coefficients, for one image; the constant is free. */
const RIDGE = 1e-3;
const NEWTON_STEPS = 12;
/** Rows between two pauses. */
const ROWS = 256;

/** Rows of numbers, one after the other in one array. */
export class Matrix {
  /** Numbers of a row. */
  readonly width: number;
  /** (rows, width). */
  readonly values: Float32Array | Float64Array;

  /** Takes (rows, width) numbers. */
  constructor(width: number, values: Float32Array | Float64Array) {
    this.width = width;
    this.values = values;
  }

  /** Makes as many rows of zeros as are asked for, and has each filled. */
  static of(rows: number, width: number, fill: (row: Float64Array, i: number) => void): Matrix {
    const values = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) fill(values.subarray(i * width, (i + 1) * width), i);
    return new Matrix(width, values);
  }

  /** Number of rows. */
  get rows(): number {
    return this.values.length / this.width;
  }

  /** A row; what is written to it is written to the matrix. */
  row(i: number): Float32Array | Float64Array {
    return this.values.subarray(i * this.width, (i + 1) * this.width);
  }
}

/** A row of numbers. */
export type Row = Float32Array | Float64Array;

/** How to shift and scale each feature to mean 0 and variance 1 over some images; a constant feature becomes 0. */
export function standardiser(features: Matrix, over: Uint32Array): (image: number, into: Row) => void {
  const { width } = features;
  const mean = new Float64Array(width), variance = new Float64Array(width);
  const overEach = (add: (row: Row) => void) => over.forEach((image) => add(features.row(image)));
  overEach((row) => row.forEach((value, f) => mean[f]! += value / over.length));
  overEach((row) => row.forEach((value, f) => variance[f]! += (value - mean[f]!) ** 2 / over.length));
  // rounding alone makes some variance
  const scale = variance.map((value, f) => value > 1e-20 * mean[f]! ** 2 ? 1 / Math.sqrt(value) : 0);
  return (image, into) => features.row(image).forEach((value, f) => into[f] = (value - mean[f]!) * scale[f]!);
}

/**
 * Coefficients of the logistic regression of a yes or no, by Newton's method.
 *
 * @param rows features of every image, the constant 1 first
 * @param over images to fit
 * @param goal 0 or 1 for an image
 * @throws {Interrupted} if the signal was aborted
 */
export async function logisticRegression(
  rows: Matrix,
  over: Uint32Array,
  goal: (image: number) => number,
  options: WorkOptions = {},
): Promise<Float64Array> {
  const { width } = rows;
  const beta = new Float64Array(width);
  const pause = pauses(options);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const hessian = ridge(width, over.length), gradient = beta.map((value, f) => f === 0 ? 0 : -RIDGE * over.length * value);
    for (const [n, i] of over.entries()) {
      const row = rows.row(i);
      const p = sigmoid(dot(beta, row));
      accumulate(hessian, row, p * (1 - p));
      for (let f = 0; f < width; f++) gradient[f]! += (goal(i) - p) * row[f]!;
      if (n % ROWS === 0) await pause(step * over.length + n, NEWTON_STEPS * over.length);
    }
    solve(hessian, gradient).forEach((change, f) => beta[f]! += change);
  }
  return beta;
}

/**
 * Coefficients of the ridge regression of a number.
 *
 * @param rows features of every image, the constant 1 first
 * @param over images to fit
 * @param goal the number for an image
 * @throws {Interrupted} if the signal was aborted
 */
export async function ridgeRegression(
  rows: Matrix,
  over: Uint32Array,
  goal: (image: number) => number,
  options: WorkOptions = {},
): Promise<Float64Array> {
  const { width } = rows;
  const normal = ridge(width, over.length), right = new Float64Array(width);
  const pause = pauses(options);
  for (const [n, i] of over.entries()) {
    const row = rows.row(i);
    accumulate(normal, row, 1);
    for (let f = 0; f < width; f++) right[f]! += goal(i) * row[f]!;
    if (n % ROWS === 0) await pause(n, over.length);
  }
  return solve(normal, right);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function ridge(width: number, images: number): Float64Array[] {
  return Array.from({ length: width }, (_, f) => {
    const row = new Float64Array(width);
    row[f] = f === 0 ? 0 : RIDGE * images;
    return row;
  });
}

/** Adds weight * row row^T to the lower triangle, which is all that {@linkcode solve} reads. */
function accumulate(matrix: Float64Array[], row: Row, weight: number): void {
  for (let a = 0; a < row.length; a++) {
    const target = matrix[a]!, factor = weight * row[a]!;
    for (let b = 0; b <= a; b++) target[b]! += factor * row[b]!;
  }
}

/** Scalar product. */
export function dot(a: Row, b: Row): number {
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
