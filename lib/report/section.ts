/** @file What a report is drawn from, and what a part of it is. */

import { wilsonInterval } from "../eval/curves.ts";
import { formatReal, NOT_DEFINED } from "../format.ts";
import type { SeenImages } from "../eval/overlap.ts";
import type { Comparison } from "../eval/bootstrap.ts";
import type { ModelSummary } from "../eval/summary.ts";
import type { TestResults } from "../eval/test_results.ts";
import type { WeightsInfo } from "../weights/weights_info.ts";
import { type LegendEntry, series } from "./chart.ts";
import type { Figure } from "./svg.ts";

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

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
