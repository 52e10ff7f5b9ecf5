/** @file What a report is drawn from, and what a part of it is. */

import { wilsonInterval } from "../eval/curves.ts";
import { formatReal, NOT_DEFINED } from "../format.ts";
import { digitsOf, isMassAlone, type Target, withUnit } from "../data/targets.ts";
import type { SeenImages } from "../eval/overlap.ts";
import type { Comparison } from "../eval/bootstrap.ts";
import type { ModelSummary } from "../eval/summary.ts";
import type { TestResults } from "../eval/test_results.ts";
import type { WeightsInfo } from "../weights/weights_info.ts";
import { type LegendEntry, series } from "./chart.ts";
import { type Figure, partOfName } from "./svg.ts";

/** A model of a report. */
export interface ReportModel {
  readonly name: string;
  /** Its predictions of the test images. */
  readonly results: TestResults;
  /** Their measures. */
  readonly summary: ModelSummary;
  /** Training curves. */
  readonly history: WeightsInfo["history"];
  /** Weight file. */
  readonly weights: string;
  /** Images of the test set that it was trained on. */
  readonly seen: SeenImages;
  /** Predictions of each model that it is the mean of, if there are several. */
  readonly members?: readonly TestResults[] | undefined;
}

/** What a report is about. */
export interface ReportInput {
  /** What the models predict beside the class. */
  readonly targets: readonly Target[];
  /** Labelled file. */
  readonly data: string;
  /** Seed of the split; undefined if all images were for testing. */
  readonly seed: number | undefined;
  /** Models on the same test images, at least one. */
  readonly models: readonly ReportModel[];
  /** Each other model against the baseline. */
  readonly comparisons: readonly Comparison[];
  /** What a reader has to know before the numbers, a sentence each. */
  readonly notes: readonly string[];
  /** How the report was made, and of what: term and meaning. */
  readonly made: readonly (readonly [term: string, meaning: string])[];
}

/** A model as its figures need it. */
export interface DrawnModel extends ReportModel {
  /** Part of a figure's name that stands for the model. */
  readonly file: string;
}

/** A target as its figures need it. */
export interface DrawnTarget extends Target {
  /** Its place in the list. */
  readonly place: number;
  /** Part of the names of its figures. */
  readonly file: string;
}

/** Targets with a name for their figures: "mass" for the mass alone, and for others one that holds their place and what of their name may be in that of a file. */
export function drawnTargets(targets: readonly Target[]): DrawnTarget[] {
  return targets.map(({ name, unit }, place) => {
    return { name, unit, place, file: isMassAlone(targets) ? name : `target-${place}-${partOfName(name)}` };
  });
}

/** A part of the report: figures side by side under one heading. */
export interface Section {
  readonly heading: string;
  /** What to look for. */
  readonly caption: string;
  /** Its figures; none if the models or the test images do not have what it shows. */
  readonly draw?: (models: readonly DrawnModel[]) => Figure[];
  /** Its table; undefined in the same cases. */
  readonly tabulate?: (models: readonly DrawnModel[]) => ReportTable | undefined;
}

/** A table of a report. */
export interface ReportTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** So many images in a table, or what they count together. */
export function countCell(count: number): string {
  return Number.isInteger(count) ? String(count) : formatReal(count, 2);
}

/** A share with its interval, such as "81.2 % [79.0, 83.1]"; {@linkcode NOT_DEFINED} of no images. */
export function shareCell(share: number, images: number): string {
  if (images === 0) return NOT_DEFINED;
  const [low, high] = wilsonInterval(share, images).map((end) => (100 * end).toFixed(1));
  return `${percent(share)} [${low}, ${high}]`;
}

/** Legend of several models, with a number for each. */
export function legendOf(models: readonly ReportModel[], note: (summary: ModelSummary) => string = () => ""): LegendEntry[] {
  return models.map(({ name, summary }, i) => ({ text: name + note(summary), ...series(i) }));
}

/** Names of the classes of the published data, for two classes. */
export function className(c: number, classes: number): string {
  return classes === 2 ? ["QCD-like (0)", "top-like (1)"][c]! : `class ${c}`;
}

/** So many images, or what they count together. */
export function countOf(count: number): string {
  return Number.isInteger(count) ? `${count} image${count === 1 ? "" : "s"}` : `weight ${formatReal(count, 2)}`;
}

/** A range of a target's values with their unit, such as "100 to 120 GeV". */
export function rangeText(from: number, to: number, target: Target): string {
  const digits = digitsOf(target, 0);
  return withUnit(`${formatReal(from, digits)} to ${formatReal(to, digits)}`, target);
}

/** A text that begins with a capital letter, unless its first word has one further on, as "pT" has. */
export function capital(text: string): string {
  return /^\S*[A-Z]/.test(text) ? text : text[0]!.toUpperCase() + text.slice(1);
}

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
