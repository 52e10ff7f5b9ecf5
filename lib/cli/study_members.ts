/**
 * @file The members of a study: the combinations of what they differ in, each with a name and the keys that it sets.
 */

import type { RunConfig } from "../config/keys.ts";
import { splitSeed, trainingSeed } from "../config/seeds.ts";

/** What the members of a study differ in. */
export interface StudyAxes {
  /** How many seeds of training; 1 by default. */
  readonly seeds?: number | undefined;
  /** How many random splits, each with a seed of training of its own; 1 by default. */
  readonly splits?: number | undefined;
  /** Parts of a cross-validation, each of which is for testing once; none by default. */
  readonly folds?: number | undefined;
  /** Numbers of training images; all by default. */
  readonly trainImages?: readonly number[] | undefined;
  /** Files of pretrained weights, each of which all others begin with; those of the recipe by default. */
  readonly pretrained?: readonly string[] | undefined;
}

/** A run of a study. */
export interface Member {
  /** Name of its folder in the study's. */
  readonly name: string;
  /** Training images, if the study has several numbers of them. */
  readonly images: number | undefined;
  /** Which of several pretrained weights it begins with, counted from 1. */
  readonly backbone: number | undefined;
  /** Name of all else in which it differs from others: members of another study with that name were trained alike. */
  readonly way: string;
  /** The keys in which it differs from the recipe, as for `--set`. */
  readonly set: readonly string[];
}

/** One of the values that an axis takes. */
interface Choice {
  readonly name: string;
  readonly set: readonly string[];
}

/** The members of a study: those of one number of training images together, and in these those of one backbone. */
export function membersOf(config: RunConfig, { seeds, splits, folds, trainImages, pretrained }: StudyAxes): Member[] {
  const [split, training] = [splitSeed(config), trainingSeed(config)];
  const sizes = trainImages?.map((images) => ({ name: `train-${images}`, images, set: [`data.max_train_images=${images}`] }));
  const backbones = pretrained?.map((path, i) => ({
    name: `weights-${i + 1}`,
    backbone: i + 1,
    set: [`pretrained_weights=${path}`],
  }));
  const ways = product(
    numbered(splits, (i) => {
      return { name: `split-${split + i}`, set: [`data.split_seed=${split + i}`, `training.seed=${training + i}`] };
    }),
    numbered(folds, (fold) => ({ name: `fold-${fold}`, set: [`data.folds=${folds}`, `data.fold=${fold}`] })),
    numbered(seeds, (i) => ({ name: `seed-${training + i}`, set: [`training.seed=${training + i}`] })),
  );
  const all = { images: undefined, name: "", set: [] }, recipe = { backbone: undefined, name: "", set: [] };
  return (sizes ?? [all]).flatMap((size) =>
    (backbones ?? [recipe]).flatMap((weights) =>
      ways.map((way) => ({
        images: size.images,
        backbone: weights.backbone,
        way: joined([size, way]).name,
        ...joined([size, weights, way]),
      }))
    )
  );
}

/** All combinations of one choice of each axis. */
function product(...axes: readonly (readonly Choice[])[]): Choice[] {
  return axes.reduce<Choice[]>((before, axis) => before.flatMap((one) => axis.map((other) => joined([one, other]))), [
    { name: "", set: [] },
  ]);
}

/** Several choices as one; what later ones set holds. */
function joined(choices: readonly Choice[]): Choice {
  return {
    name: choices.map(({ name }) => name).filter((name) => name !== "").join("-"),
    set: choices.flatMap(({ set }) => set),
  };
}

/** The choices of an axis of so many; the recipe as it is without one. */
function numbered(n: number | undefined, choice: (i: number) => Choice): Choice[] {
  return n === undefined ? [{ name: "", set: [] }] : Array.from({ length: n }, (_, i) => choice(i));
}
