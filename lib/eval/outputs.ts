/** @file The check of a model's outputs: no prediction that is not finite is shown or written. */

import { LARGEST_MASS } from "../data/statistics.ts";
import { MASS } from "../data/targets.ts";

/** A model's output that means nothing: NaN, an infinity, or a logit or a mass beyond all scales. The message names the weights, the image and the output. */
export class OutputError extends Error {
  /** Name of the error class. */
  override readonly name = "OutputError";
}

/** What an output is called, by the name of its tensor. */
const WORDS: Readonly<Record<string, string>> = { logits: "logit", features: "feature" };
/**
 * Largest size of a logit: from 2^24 on, single precision has no two numbers that differ by 1, so that a probability is 0, 1/2 or 1
 * whatever the model knows.
 */
const LARGEST_LOGIT = 2 ** 24;
/** Largest size of an output, by the name of its tensor, and what is wrong beyond. */
const LARGEST: Readonly<Record<string, readonly [size: number, why: (column: string) => string]>> = {
  logits: [LARGEST_LOGIT, () => "it is finite, but single precision has no digits left at that size"],
  targets: [LARGEST_MASS, (column) => `that is no ${column} in any unit`],
};

/**
 * Checks outputs of several images.
 *
 * @param weights file that is named
 * @param name of the tensor, such as "logits"
 * @param values (images, width) row by row
 * @param images their numbers
 * @param columns what the width's columns are called, if they have names of their own, such as "mass"
 * @throws {OutputError} if a value is not finite, or a logit or a target too large
 */
export function checkOutputs(
  weights: string,
  name: string,
  values: ArrayLike<number>,
  images: ArrayLike<number>,
  columns?: readonly string[],
): void {
  const width = values.length / images.length, [largest, absurd] = LARGEST[name] ?? [Number.MAX_VALUE];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Math.abs(value) <= largest) continue;
    const column = columns?.[i % width], numbered = `${WORDS[name] ?? name}${width === 1 ? "" : ` ${i % width}`}`;
    const what = `${column ?? numbered} of image ${images[Math.floor(i / width)]}`;
    const why = Number.isFinite(value) && absurd ? `: ${absurd(column ?? "number")}` : "";
    const scales = column === MASS.name ? ", model.denominator_floor, mass_mean and mass_std" : " and model.denominator_floor";
    throw new OutputError(
      `${weights}: ${what} is ${Number(value.toPrecision(6))}${why}. ` +
        `Check that data.norm_scale${scales} are those that the weights were trained with`,
    );
  }
}
