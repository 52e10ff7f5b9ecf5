/** @file The targets of a run, such as the mass: what the head should give for each image, and how far from it what it gives is. */

import { isKnown, type TargetValues } from "../data/targets.ts";
import { meanAbsoluteError, smoothL1Loss } from "../eval/validation.ts";
import { errorName } from "../weights/history.ts";
import { scaled, type ScaledTarget, scaleOf, valueOf } from "../weights/target_scale.ts";

/** Targets with their values, and the scale on which each is learned. */
export class LearnedTargets {
  /** The targets with their scales: mean and deviation of the training images, those of none for what is not known. */
  readonly scales: readonly ScaledTarget[];
  readonly #targets: readonly TargetValues[];

  /**
   * Finds the scales.
   *
   * @param train numbers of the training images
   * @param log true if logarithms are learned
   */
  constructor(targets: readonly TargetValues[], train: Uint32Array, log: boolean) {
    this.#targets = targets;
    this.scales = targets.map((target) => {
      const { name, unit, values } = target;
      return { name, unit, ...isKnown(target) ? scaleOf(Array.from(train, (i) => values[i]!), log) : { mean: 0, std: 1, log } };
    });
  }

  /** How many they are. */
  get count(): number {
    return this.#targets.length;
  }

  /** Whether all of them are known. */
  get areKnown(): boolean {
    return this.#targets.every(isKnown);
  }

  /** What is true of an image. */
  truth(image: number): number[] {
    return this.#targets.map(({ values }) => values[image]!);
  }

  /** What the head should give for some images, (images, targets) row by row; 0 for what is not known. */
  goals(images: Uint32Array): Float32Array {
    const goals = new Float32Array(images.length * this.count);
    for (const t of this.#known) this.#goalsOf(t, images).forEach((goal, i) => goals[i * this.count + t] = goal);
    return goals;
  }

  /** Something for each known target, by the name that its mean error has in the numbers of an epoch. */
  errors(of: (scale: ScaledTarget, t: number) => number): Record<string, number> {
    return Object.fromEntries(this.#known.map((t) => [errorName(this.scales, this.scales[t]!), of(this.scales[t]!, t)]));
  }

  /**
   * How far from the truth outputs of the head are.
   *
   * @param outputs (images, targets) row by row
   * @param weights what each image counts
   * @returns the mean of the smooth L1 distance over the targets, and the mean error of each in its unit
   */
  judge(outputs: Float32Array, images: Uint32Array, weights: readonly number[]): { loss: number; errors: Record<string, number> } {
    const columns = this.scales.map((_, t) => Float32Array.from(images, (_, i) => outputs[i * this.count + t]!));
    const goals = this.scales.map((_, t) => this.#goalsOf(t, images));
    const losses = this.#known.map((t) => smoothL1Loss(columns[t]!, goals[t]!, weights));
    return {
      loss: losses.reduce((sum, loss) => sum + loss, 0) / this.count,
      errors: this.errors((scale, t) => {
        const values = (of: ArrayLike<number>) => Array.from(of, (output) => valueOf(output, scale));
        return scale.log
          ? meanAbsoluteError(values(columns[t]!), values(goals[t]!), weights)
          : meanAbsoluteError(columns[t]!, goals[t]!, weights) * scale.std;
      }),
    };
  }

  /** Places of the known targets. */
  get #known(): number[] {
    return [...this.#targets.keys()].filter((t) => isKnown(this.#targets[t]!));
  }

  #goalsOf(t: number, images: Uint32Array): number[] {
    const { values } = this.#targets[t]!;
    return Array.from(images, (i) => scaled(values[i]!, this.scales[t]!));
  }
}
