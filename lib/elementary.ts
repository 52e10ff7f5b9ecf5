/**
 * @file Exponential, logarithm, sine and cosine from sums, products and quotients alone.
 *
 * The standard fixes the bits of those, and of square roots, in every program. It leaves Math.exp and its kin to each: Deno and
 * Chromium differ in the last digit of some values. What is trained, predicted or kept in a file rests on these instead, so that it
 * has the same bits wherever it is computed. They are within a unit in the last place or two of the true values.
 *
 * Each takes its argument to a short interval around 0, exactly or nearly so, by parts of ln 2 or pi/2 in two words; there a Taylor
 * series has few terms.
 */

/** ln 2 in two words; the first has zeros at its end, so that its small multiples are exact. */
const LN2 = [6.93147180369123816490e-01, 1.90821492927058770002e-10] as const;
/** pi / 2, likewise. */
const QUARTER_TURN = [1.57079632673412561417, 6.07710050650619224932e-11] as const;

/** A number, and the two halves of its bits. */
const double = new Float64Array(1), halves = new Uint32Array(double.buffer);
/** Which half is the upper one. */
const UPPER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;
/** Cosines of an angle that is turned on by 0, 1, 2 and 3 quarters. */
const turned = new Float64Array(4);

/** 2^k at place k + 1023, for k from -1023 to 1023: quicker to look up than to put together from bits. */
const POWERS = powersOfTwo();

/** e^x. */
export function exp(x: number): number {
  if (!(x < 709.8)) return x > 0 ? Infinity : x;
  if (x < -745.2) return 0;
  const k = Math.round(x / Math.LN2), high = x - k * LN2[0], low = k * LN2[1], r = high - low;
  const value = 1 + (high + (r * r * expSeries(r) - low));
  // in two steps, since neither the largest nor the smallest results are a product with one power of two
  const half = Math.trunc(k / 2);
  return value * POWERS[1023 + half]! * POWERS[1023 + k - half]!;
}

/** Natural logarithm of x. */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  const isSmall = x < 1e-300, normal = isSmall ? x * 18014398509481984 : x; // by 2^54
  double[0] = normal;
  const exponent = (halves[UPPER]! >>> 20) - 1023, mantissa = normal * POWERS[1023 - exponent]!;
  // a number, since a processor guesses half of the branches here wrong
  const isLarge = Number(mantissa > Math.SQRT2);
  const m = mantissa * POWERS[1023 - isLarge]!, k = exponent + isLarge - (isSmall ? 54 : 0);
  // log m = 2 artanh s
  const s = (m - 1) / (m + 1), squared = s * s;
  return k * LN2[0] + (2 * s + (2 * s * squared * artanhSeries(squared) + k * LN2[1]));
}

/** b^n, for a whole n from 0 on. */
export function power(b: number, n: number): number {
  let result = 1;
  for (let square = b, rest = n; rest > 0; square *= square, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}

/** Cosine of an angle of a few turns. */
export function cos(angle: number): number {
  return cosAndSin(angle)[0];
}

/** Cosine and sine of an angle of a few turns. */
export function cosAndSin(angle: number): readonly [cosine: number, sine: number] {
  const k = Math.round(angle / (Math.PI / 2)), r = (angle - k * QUARTER_TURN[0]) - k * QUARTER_TURN[1], squared = r * r;
  const cosine = 1 + squared * cosineSeries(squared), sine = r + r * squared * sineSeries(squared);
  turned[0] = cosine;
  turned[1] = -sine;
  turned[2] = -cosine;
  turned[3] = sine;
  return [turned[k & 3]!, turned[(k + 3) & 3]!];
}

/** (e^x - 1 - x) / x^2, by Horner's rule like the others. */
function expSeries(x: number): number {
  let sum = 1 / 87178291200;
  sum = sum * x + 1 / 6227020800;
  sum = sum * x + 1 / 479001600;
  sum = sum * x + 1 / 39916800;
  sum = sum * x + 1 / 3628800;
  sum = sum * x + 1 / 362880;
  sum = sum * x + 1 / 40320;
  sum = sum * x + 1 / 5040;
  sum = sum * x + 1 / 720;
  sum = sum * x + 1 / 120;
  sum = sum * x + 1 / 24;
  sum = sum * x + 1 / 6;
  sum = sum * x + 1 / 2;
  return sum;
}

/** (artanh s / s - 1) / s^2, of z = s^2. */
function artanhSeries(z: number): number {
  let sum = 1 / 23;
  sum = sum * z + 1 / 21;
  sum = sum * z + 1 / 19;
  sum = sum * z + 1 / 17;
  sum = sum * z + 1 / 15;
  sum = sum * z + 1 / 13;
  sum = sum * z + 1 / 11;
  sum = sum * z + 1 / 9;
  sum = sum * z + 1 / 7;
  sum = sum * z + 1 / 5;
  sum = sum * z + 1 / 3;
  return sum;
}

/** (cos x - 1) / x^2, of z = x^2. */
function cosineSeries(z: number): number {
  let sum = -1 / 6402373705728000;
  sum = sum * z + 1 / 20922789888000;
  sum = sum * z - 1 / 87178291200;
  sum = sum * z + 1 / 479001600;
  sum = sum * z - 1 / 3628800;
  sum = sum * z + 1 / 40320;
  sum = sum * z - 1 / 720;
  sum = sum * z + 1 / 24;
  sum = sum * z - 1 / 2;
  return sum;
}

/** (sin x / x - 1) / x^2, of z = x^2. */
function sineSeries(z: number): number {
  let sum = 1 / 355687428096000;
  sum = sum * z - 1 / 1307674368000;
  sum = sum * z + 1 / 6227020800;
  sum = sum * z - 1 / 39916800;
  sum = sum * z + 1 / 362880;
  sum = sum * z - 1 / 5040;
  sum = sum * z + 1 / 120;
  sum = sum * z - 1 / 6;
  return sum;
}

function powersOfTwo(): Float64Array {
  const powers = new Float64Array(2047);
  powers[1023] = 1;
  for (let k = 1; k <= 1023; k++) {
    powers[1023 + k] = 2 * powers[1022 + k]!;
    powers[1023 - k] = powers[1024 - k]! / 2;
  }
  return powers;
}
