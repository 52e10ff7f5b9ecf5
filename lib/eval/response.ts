/** @file How a predicted value, such as the mass, answers to the true one: median and width of their ratio, in bins of a quantity with equally many images. */

import { firstNumbers, pick } from "../arrays.ts";
import { weightedQuantile } from "./bootstrap.ts";
import type { TestResults } from "./test_results.ts";

/** Images between two values of a quantity. */
export interface Bin {
  /** Smallest value in it. */
  readonly from: number;
  /** Largest value in it. */
  readonly to: number;
  /** Rows of the images. */
  readonly rows: Uint32Array;
}

/** The middle of some numbers. */
export interface Middle {
  /** Value above which 84 % lie. */
  readonly low: number;
  /** Value above which half lie. */
  readonly median: number;
  /** Value above which 16 % lie. */
  readonly high: number;
}

/** Rows by rising values, cut into bins with equally many of them; fewer bins than asked for where there are fewer rows. */
export function equalBins(values: Float64Array, bins: number, rows: Uint32Array = firstNumbers(values.length)): Bin[] {
  const order = rows.slice().sort((a, b) => values[a]! - values[b]!), count = Math.min(bins, order.length);
  return Array.from({ length: count }, (_, b) => {
    const inside = order.subarray(Math.floor(b * order.length / count), Math.floor((b + 1) * order.length / count));
    return { from: values[inside[0]!]!, to: values[inside.at(-1)!]!, rows: inside };
  });
}

/** Median and middle 68 % of a number over some rows. */
export function middleOf({ weights }: TestResults, rows: Uint32Array, value: (row: number) => number): Middle {
  const values = Float64Array.from(rows, value), counts = pick(weights, rows);
  const [low, median, high] = [0.16, 0.5, 0.84].map((q) => weightedQuantile(values, counts, q)) as [number, number, number];
  return { low, median, high };
}

/** A bin and what the prediction does in it. */
export interface ResponseBin extends Bin {
  /** Middle of predicted over true value. */
  readonly response: Middle;
  /** Half the width of its middle 68 %, over its median. */
  readonly resolution: number;
}

/**
 * Response and resolution of a target; images whose true value is not above 0 are left out.
 *
 * @param target place of the target in the list
 * @param quantity of each row
 */
export function responseBins(results: TestResults, target: number, quantity: Float64Array, bins: number): ResponseBin[] {
  const { predicted, truth } = results.targets[target]!;
  const rows = firstNumbers(truth.length).filter((row) => truth[row]! > 0);
  return equalBins(quantity, bins, rows).map((bin) => {
    const response = middleOf(results, bin.rows, (row) => predicted[row]! / truth[row]!);
    return { ...bin, response, resolution: (response.high - response.low) / 2 / Math.abs(response.median) };
  });
}
