/**
 * @file Which of several variants of a kernel is used, where more than one is right.
 *
 * Variants round differently, so a run has to use the same ones from its first step to its last. The choices of a device are
 * given to it before anything is recorded; a question that has no answer yet is answered by default, and noted.
 */

/** A question that was answered by default. */
export interface OpenQuestion<T> {
  /** Names what is computed, with its sizes. */
  readonly question: string;
  /** What is needed to measure the variants. */
  readonly details: T;
}

/** The choices of a device. */
export class Choices<T = unknown> {
  readonly #answers = new Map<string, string>();
  readonly #taken = new Map<string, string>();
  readonly #open = new Map<string, T>();

  /** Answers that were used. */
  get taken(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#taken);
  }

  /** Questions that were answered by default. */
  get open(): OpenQuestion<T>[] {
    return [...this.#open].map(([question, details]) => ({ question, details }));
  }

  /** Gives answers for what will be asked from now on; those of before are forgotten. */
  answer(answers: Readonly<Record<string, string>>): void {
    this.#answers.clear();
    this.#taken.clear();
    this.#open.clear();
    for (const [question, name] of Object.entries(answers)) this.#answers.set(question, name);
  }

  /**
   * The variant that a question was answered with, the first one by default.
   *
   * @param nameOf name of a variant; an answer that is the name of none counts as none
   */
  choose<V>(question: string, variants: readonly V[], nameOf: (variant: V) => string, details: T): V {
    const name = this.#answers.get(question);
    const chosen = name === undefined ? undefined : variants.find((variant) => nameOf(variant) === name);
    if (chosen === undefined) {
      this.#open.set(question, details);
      return variants[0]!;
    }
    this.#taken.set(question, name!);
    return chosen;
  }
}
