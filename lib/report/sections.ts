/**
 * @file The parts of report.html. A new figure is a file in `sections/` and a line here: it is then on the page, and an SVG in `figures/`.
 */

import { MASS, type Target } from "../data/targets.ts";
import { type DrawnModel, drawnTargets, type ReportModel, type ReportTable, type Section } from "./section.ts";
import { byClass } from "./sections/classes.ts";
import { confusion } from "./sections/confusion.ts";
import { efficiencies } from "./sections/efficiencies.ts";
import { members } from "./sections/members.ts";
import { responseByPt, responseByTruth } from "./sections/response.ts";
import { predicted, residuals } from "./sections/targets.ts";
import { ranking } from "./sections/ranking.ts";
import { scores } from "./sections/scores.ts";
import { training } from "./sections/training_curves.ts";
import { type Figure, partOfName } from "./svg.ts";

/** All parts, in the order of the page; those of a target once for each. */
export function sectionsOf(targets: readonly Target[]): readonly Section[] {
  const drawn = drawnTargets(targets);
  return [
    confusion,
    byClass(targets),
    scores,
    ranking,
    efficiencies,
    ...drawn.flatMap((target) => [predicted(target), residuals(target), responseByTruth(target), responseByPt(target)]),
    members,
    training,
  ];
}

/** A part with its figures drawn. */
export interface DrawnSection extends Pick<Section, "heading" | "caption"> {
  readonly figures: readonly Figure[];
  readonly table: ReportTable | undefined;
}

/** The parts that have figures or a table. */
export function drawSections(models: readonly ReportModel[], targets: readonly Target[] = [MASS]): DrawnSection[] {
  const files = fileNames(models.map(({ name }) => name));
  const drawn = models.map((model): DrawnModel => ({ ...model, file: files.get(model.name)! }));
  return sectionsOf(targets).map(({ heading, caption, draw, tabulate }) => {
    return { heading, caption, figures: draw?.(drawn) ?? [], table: tabulate?.(drawn) };
  }).filter(({ figures, table }) => figures.length > 0 || table !== undefined);
}

/** For each name a part of a file name, no two of them the same even where capitals do not count. */
export function fileNames(names: readonly string[]): Map<string, string> {
  // mass-residuals is a figure of all models
  const taken = new Set(["residuals"]);
  return new Map(names.map((name) => {
    const plain = partOfName(name);
    let unique = plain;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${plain}-${n}`;
    taken.add(unique.toLowerCase());
    return [name, unique];
  }));
}
