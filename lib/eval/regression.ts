/** @file Small regressions in double precision, for judging features: logistic, ridge. */

/** Weight of the squared coefficients, for one image; the constant is free. */
const RIDGE = 1e-3;
const NEWTON_STEPS = 12;

/** Features shifted and scaled to mean 0 and variance 1 over some images; a constant feature becomes 0. */
export function standardise(features: readonly Float64Array[], over: Uint32Array): Float64Array[] {
  const width = features[0]!.length;
  const mean = new Float64Array(width), variance = new Float64Array(width);
  for (const i of over) for (let f = 0; f < width; f++) mean[f]! += features[i]![f]! / over.length;
  for (const i of over) for (let f = 0; f < width; f++) variance[f]! += (features[i]![f]! - mean[f]!) ** 2 / over.length;
  return features.map((row) => row.map((value, f) => (value - mean[f]!) / Math.sqrt(variance[f]! || 1)));
}

/**
 * Coefficients of the logistic regression of a yes or no, by Newton's method.
 *
 * @param rows features of every image, the constant 1 first
 * @param over images to fit
 * @param goal 0 or 1 for an image
 */
export function logisticRegression(
  rows: readonly Float64Array[],
  over: Uint32Array,
  goal: (image: number) => number,
): Float64Array {
  const width = rows[0]!.length;
  const beta = new Float64Array(width);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const hessian = ridge(width, over.length), gradient = beta.map((value, f) => f === 0 ? 0 : -RIDGE * over.length * value);
    for (const i of over) {
      const row = rows[i]!;
      const p = sigmoid(dot(beta, row));
      accumulate(hessian, row, p * (1 - p));
      for (let f = 0; f < width; f++) gradient[f]! += (goal(i) - p) * row[f]!;
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
 */
export function ridgeRegression(rows: readonly Float64Array[], over: Uint32Array, goal: (image: number) => number): Float64Array {
  const width = rows[0]!.length;
  const normal = ridge(width, over.length), right = new Float64Array(width);
  for (const i of over) {
    accumulate(normal, rows[i]!, 1);
    for (let f = 0; f < width; f++) right[f]! += goal(i) * rows[i]![f]!;
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
function accumulate(matrix: Float64Array[], row: Float64Array, weight: number): void {
  for (let a = 0; a < row.length; a++) {
    const target = matrix[a]!, factor = weight * row[a]!;
    for (let b = 0; b <= a; b++) target[b]! += factor * row[b]!;
  }
}

/** Scalar product. */
export function dot(a: Float64Array, b: Float64Array): number {
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
