/**
 * @file What is learned of each image beside its class: numbers such as the mass, each with a name and a unit.
 *
 * There is a list of them everywhere. The published one holds the mass alone, in GeV, and is what a configuration means that names nothing
 * else (data.keys.targets).
 */

import { type Digits, formatReal } from "../format.ts";

/** A number that is learned of each image. */
export interface Target {
  /** What it is called, in tables, figures and files. */
  readonly name: string;
  /** Unit of its values, empty if it has none. */
  readonly unit: string;
}

/** A target with its value for each image. */
export interface TargetValues extends Target {
  /** One number for each image; NaN if they are not known. */
  readonly values: ArrayLike<number>;
}

/** The published target. */
export const MASS: Target = { name: "mass", unit: "GeV" };

/** True if the mass alone is learned, as in the published files. */
export function isMassAlone(targets: readonly Target[]): boolean {
  return sameTargets(targets, [MASS]);
}

/** True if two lists have the same targets, in the same units and order. */
export function sameTargets(a: readonly Target[], b: readonly Target[]): boolean {
  return a.length === b.length && a.every(({ name, unit }, t) => name === b[t]!.name && unit === b[t]!.unit);
}

/** Names of datasets that hold GeV, by custom. */
const IN_GEV = ["m", "mass", "pT", "pt"];

/** The unit of a dataset that does not say its own. */
export function customaryUnit(dataset: string): string {
  return IN_GEV.includes(dataset.split("/").at(-1)!) ? "GeV" : "";
}

/** A target within a sentence: "the mass", but "pT". */
export function inWords({ name }: Pick<Target, "name">): string {
  return name === MASS.name ? `the ${name}` : name;
}

/** A value with its unit, such as "142.5 GeV". */
export function withUnit(value: string, { unit }: Pick<Target, "unit">): string {
  return unit === "" ? value : `${value} ${unit}`;
}

/** What a value is, with its unit, such as "true mass (GeV)". */
export function inUnit(what: string, { unit }: Pick<Target, "unit">): string {
  return unit === "" ? what : `${what} (${unit})`;
}

/** Digits of a number in the unit of a target: values in units other than GeV may be of any size. */
export function digitsOf({ unit }: Pick<Target, "unit">, inGeV: number): Digits {
  return unit === "GeV" ? inGeV : "significant";
}

/** A value for a reader. */
export function shortValue(value: number, target: Pick<Target, "unit">): string {
  return formatReal(value, digitsOf(target, 1));
}

/** True for known values: what is not known of one image is known of none. */
export function isKnown({ values }: Pick<TargetValues, "values">): boolean {
  return !Number.isNaN(values[0]);
}

/** What is predicted of an image, with what is true if that is known, such as "mass 142.5 GeV (true: 139.0)". */
export function predictedValue(target: Target, predicted: number, truth: number | undefined): string {
  const known = truth === undefined ? "" : ` (true: ${shortValue(truth, target)})`;
  return `${target.name} ${withUnit(shortValue(predicted, target), target)}${known}`;
}

/** The values of targets in words: "masses", or the names of others. */
export function valuesOf(targets: readonly Target[]): string {
  return isMassAlone(targets) ? "masses" : targets.map(({ name }) => name).join(", ");
}

/** Targets in words, such as "m (GeV), eta". */
export function listTargets(targets: readonly Target[]): string {
  return targets.map((target) => inUnit(target.name, target)).join(", ");
}
