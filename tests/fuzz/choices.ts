/**
 * @file Choices of a grammar, by random numbers.
 */

import type { Random } from "../../lib/random.ts";

/** Chooses by random numbers: the same ones give the same choices. */
export class Choices {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A whole number from 0 on and below a limit. */
  below(limit: number): number {
    return this.#random.below(limit);
  }

  /** Any of some choices. */
  pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)]!;
  }

  /** Any but the last, and that now and then: what is unusual comes last. */
  mostly<Choice>(choices: readonly Choice[]): Choice {
    return this.below(24) === 0 ? choices.at(-1)! : this.pick(choices.slice(0, -1));
  }
}
