/**
 * @file The parts of report.html. A new figure is a file in `sections/` and a line here: it is then on the page, and an SVG in `figures/`.
 */

import type { DrawnModel, ReportModel, ReportTable, Section } from "./section.ts";
import { byClass } from "./sections/classes.ts";
import { confusion } from "./sections/confusion.ts";
import { efficiencies } from "./sections/efficiencies.ts";
import { members } from "./sections/members.ts";
import { responseByMass, responseByPt } from "./sections/response.ts";
import { predictedMass, residuals } from "./sections/masses.ts";
import { ranking } from "./sections/ranking.ts";
import { scores } from "./sections/scores.ts";
import { training } from "./sections/training_curves.ts";
import type { Figure } from "./svg.ts";

/** All parts, in the order of the page. */
export const SECTIONS: readonly Section[] = [
  confusion,
  byClass,
  scores,
  ranking,
  efficiencies,
  predictedMass,
  residuals,
  responseByMass,
  responseByPt,
  members,
  training,
];

/** A part with its figures drawn. */
export interface DrawnSection extends Pick<Section, "heading" | "caption"> {
  readonly figures: readonly Figure[];
  readonly table: ReportTable | undefined;
}

/** The parts that have figures or a table. */
export function drawSections(models: readonly ReportModel[]): DrawnSection[] {
  const files = fileNames(models.map(({ name }) => name));
  const drawn = models.map((model): DrawnModel => ({ ...model, file: files.get(model.name)! }));
  return SECTIONS.map(({ heading, caption, draw, tabulate }) => {
    return { heading, caption, figures: draw?.(drawn) ?? [], table: tabulate?.(drawn) };
  }).filter(({ figures, table }) => figures.length > 0 || table !== undefined);
}

/** Characters of a model's name that are part of a file's name. */
const LONGEST = 80;

/** For each name a part of a file name, no two of them the same even where capitals do not count. */
export function fileNames(names: readonly string[]): Map<string, string> {
  // mass-residuals is a figure of all models
  const taken = new Set(["residuals"]);
  return new Map(names.map((name) => {
    const plain = name.replaceAll(/[^\w.-]+/g, "-").slice(0, LONGEST);
    let unique = plain;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${plain}-${n}`;
    taken.add(unique.toLowerCase());
    return [name, unique];
  }));
}
