/** @file The curves of a training run: numbers by name, one an epoch, of which some may be NaN. */

import { inUnit, inWords, isMassAlone, type Target } from "../data/targets.ts";
import { isRecord } from "../io/json.ts";

/** Curves by name, such as "train_loss": one value an epoch, NaN where a loss was not finite. */
export type History = Record<string, number[]>;

/** A kind of curve: what is called "train_" and "val_" with its name. */
export interface Curve {
  /** Heading of its figure. */
  readonly title: string;
  /** What its values are, with their unit. */
  readonly label: string;
  /** Unit of a value in a line of text. */
  readonly unit?: string;
}

/** Curves that are drawn of any run, by name; whatever else a run has is kept, and not drawn. */
const CURVES: Readonly<Record<string, Curve>> = {
  loss: { title: "Loss", label: "loss" },
  acc: { title: "Accuracy", label: "accuracy" },
};

/** What the mean error of a target is called in the numbers of an epoch. */
export function errorName(targets: readonly Target[], target: Target): string {
  return isMassAlone(targets) ? "mae" : `mae_${target.name}`;
}

/** Curves that are drawn of runs with these targets, by name. */
export function curvesOf(targets: readonly Target[]): Readonly<Record<string, Curve>> {
  const errors = targets.map((target): [string, Curve] => {
    const { name, unit } = target, title = `Mean error of ${inWords(target)}`;
    return [errorName(targets, target), { title, label: inUnit(`${name} MAE`, target), unit }];
  });
  return { ...CURVES, ...Object.fromEntries(errors) };
}

/**
 * Curves out of JSON, which has no NaN: JavaScript writes null for it.
 *
 * @returns undefined if these are no curves
 */
export function readHistory(value: unknown): History | undefined {
  if (!isRecord(value)) return undefined;
  const curves = Object.entries(value).map(([name, values]): [string, number[] | undefined] => [name, readCurve(values)]);
  return curves.every((entry): entry is [string, number[]] => entry[1] !== undefined) ? Object.fromEntries(curves) : undefined;
}

/** Numbers out of JSON, with null for NaN; undefined if these are none. */
export function readCurve(values: unknown): number[] | undefined {
  if (!Array.isArray(values) || !values.every((item) => item === null || typeof item === "number")) return undefined;
  return values.map((item) => item ?? NaN);
}

/**
 * Curves out of text; NaN and Infinity, which Python writes into its JSON, count as NaN.
 *
 * @throws {Error} if the text holds none
 */
export function parseHistory(text: string): History {
  const history = readHistory(parsed(text) ?? parsed(text.replaceAll(/(?:NaN|-?Infinity)(?=\s*[,\]}])/g, "null")));
  if (!history) throw new Error("its metadata hold no training curves under history");
  return history;
}

/** Undefined if the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
