/**
 * @file Reports as pages: of an evaluation that was just made, and of what earlier ones have written (metrics.json and predictions.csv), without
 * adapter or data. Of a study it shows the members of each group as the mean of their predictions, and them around it.
 */

import type { SeenImages } from "../eval/overlap.ts";
import { listTargets, MASS, sameTargets, type Target } from "../data/targets.ts";
import { summarise, type Summary } from "../eval/summary.ts";
import { exists } from "../disk/files.ts";
import { readWeights } from "../disk/weight_files.ts";
import { reportPage } from "../report/report_page.ts";
import type { ReportInput, ReportModel } from "../report/section.ts";
import { drawSections } from "../report/sections.ts";
import { figureDocument } from "../report/svg.ts";
import type { ConsoleReporter } from "./console.ts";
import { commandLine, type Term } from "./making.ts";
import { combined, imagesOf, type Predicted, readMembers, readPredictions, resultsOf } from "./predictions.ts";
import { MEMBERS, ReportFolder } from "./report_folder.ts";
import { UsageError } from "./task.ts";

/** What is said of an evaluation beside its numbers, as metrics.json has it. */
export interface EvaluationFacts {
  /** What the data are called. */
  readonly data: string;
  /** Seed of the split and of the bootstrap. */
  readonly seed: number;
  /** True if all images of the data were judged. */
  readonly whole: boolean;
  /** What is predicted beside the class, if it is not the mass alone. */
  readonly targets?: readonly Target[];
  /** What a reader has to know before the numbers. */
  readonly notes: readonly string[];
  /** How many of the images each model had met. */
  readonly seen: ReadonlyMap<string, SeenImages>;
  /** Weight files of each model. */
  readonly weights: ReadonlyMap<string, readonly string[]>;
  /** How it was made. */
  readonly made: readonly Term[];
}

/** A model with what it has predicted. */
type JudgedModel = Pick<ReportModel, "name" | "results" | "members" | "history">;

/** Writes report.html and its figures. */
export function writeReport(
  folder: ReportFolder,
  { data, seed, whole, notes, seen, weights, made }: EvaluationFacts,
  models: readonly JudgedModel[],
  { models: summaries, comparisons, targets }: Summary,
): void {
  const reported = models.map((model): ReportModel => ({
    ...model,
    summary: summaries.get(model.name)!,
    weights: weights.get(model.name)!.join(", "),
    seen: seen.get(model.name)!,
  }));
  const parts = drawSections(reported, targets);
  for (const figure of parts.flatMap(({ figures }) => figures)) {
    folder.begin(`figures/${figure.name}.svg`).write(figureDocument(figure));
  }
  const input: ReportInput = { data, seed: whole ? undefined : seed, models: reported, targets, comparisons, notes, made };
  folder.begin("report.html").write(reportPage(input, parts));
}

/** A model out of the files of an evaluation. */
interface SavedModel {
  readonly name: string;
  readonly predicted: Predicted;
  readonly members: readonly Predicted[] | undefined;
  readonly weights: readonly string[];
  readonly seen: SeenImages;
}

/** An evaluation, or a study, out of its files. */
interface Saved {
  readonly folder: string;
  readonly facts: EvaluationFacts;
  readonly models: readonly SavedModel[];
}

/**
 * Makes the report of one or several evaluations, or studies, of the same images again.
 *
 * @param folders what deno task eval or deno task study has written
 * @throws {UsageError} if there is no evaluation, or of other images
 */
export async function report(
  folders: readonly string[],
  out: string,
  reporter: ConsoleReporter,
  signal: AbortSignal,
): Promise<Summary> {
  const saved = folders.map((folder) => exists(`${folder}/study.json`) ? readStudy(folder) : readEvaluation(folder));
  const models = renamed(saved);
  const [{ facts }] = saved as [Saved];
  checkTargets(saved);
  checkImages(models);
  const judged = models.map(({ name, predicted, members, weights }): JudgedModel => ({
    name,
    results: resultsOf(predicted, facts.targets),
    members: members?.map((member) => resultsOf(member, facts.targets)),
    history: exists(weights[0]!) ? readWeights(weights[0]!).history : {},
  }));
  const results = new Map(judged.map(({ name, results }) => [name, results]));
  const summary = await summarise(results, facts.seed, { progress: reporter.counting("95 % intervals", "resamples"), signal });
  using folder = new ReportFolder(out);
  const all: EvaluationFacts = {
    ...facts,
    notes: [...new Set(saved.flatMap(({ facts }) => facts.notes))],
    seen: new Map(models.map(({ name, seen }) => [name, seen])),
    weights: new Map(models.map(({ name, weights }) => [name, weights])),
    made: [
      ["The command that makes it again", commandLine("report")],
      ...saved.flatMap(({ folder, facts }) => facts.made.map(([term, meaning]): Term => [`${term} (${folder})`, meaning])),
    ],
  };
  writeReport(folder, all, judged, summary);
  await folder.publish((line) => reporter.line(line));
  return summary;
}

/** What a folder of deno task eval holds. */
function readEvaluation(folder: string): Saved {
  const [metrics, table] = ["metrics.json", "predictions.csv"].map((name) => `${folder}/${name}`) as [string, string];
  const missing = [metrics, table].find((path) => !exists(path));
  if (missing !== undefined) {
    throw new UsageError(
      `${folder}: there is no ${missing.split("/").at(-1)}. Name a folder of deno task eval (written as json and csv) or study`,
    );
  }
  const { seen, weights, made, ...facts } = JSON.parse(Deno.readTextFileSync(metrics));
  if (made === undefined) throw new UsageError(`${metrics}: it does not say how it was made. Evaluate again with this version`);
  const kept = `${folder}/${MEMBERS}`, members = exists(kept) ? readMembers(kept) : new Map<string, Predicted[]>();
  const models = [...readPredictions(table)].map(([name, predicted]) => {
    const own = members.get(name);
    if (own?.some((member) => imagesOf(member) !== imagesOf(predicted))) {
      throw new UsageError(`${kept}: its images are not those of predictions.csv. Evaluate again`);
    }
    return { name, predicted, members: own, weights: weights[name], seen: seen[name] };
  });
  return { folder, facts: { ...facts, seen: new Map(), weights: new Map(), made }, models };
}

/** The members of a study, those of one number of training images as one model. */
function readStudy(folder: string): Saved {
  const { members } = JSON.parse(Deno.readTextFileSync(`${folder}/study.json`)) as {
    members: readonly { readonly name: string; readonly images: number | null }[];
  };
  const name = folder.split("/").at(-1)!;
  const read = members.map((member) => ({ ...member, saved: readEvaluation(`${folder}/${member.name}`) }));
  const models = [...Map.groupBy(read, ({ images }) => images)].map(([images, of]): SavedModel => {
    const ofMembers = of.map(({ saved }) => saved.models[0]!);
    const total = (part: keyof SeenImages) => ofMembers.reduce((most, { seen }) => Math.max(most, seen[part]), 0);
    return {
      name: images === null ? name : `${name}, ${images} images`,
      predicted: combined(ofMembers.map(({ predicted }) => predicted)),
      members: of.length > 1 ? ofMembers.map(({ predicted }) => predicted) : undefined,
      weights: ofMembers.flatMap(({ weights }) => weights),
      seen: { labelled: total("labelled"), unlabelled: total("unlabelled") },
    };
  });
  const [first] = read;
  return { folder, facts: first!.saved.facts, models };
}

/** Models of several folders, with the folder in a name that there is twice. */
function renamed(saved: readonly Saved[]): SavedModel[] {
  const all = saved.flatMap(({ folder, models }) => models.map((model) => ({ folder, model })));
  return all.map(({ folder, model }) => {
    const isTaken = all.some((other) => other.model !== model && other.model.name === model.name);
    return isTaken ? { ...model, name: `${model.name} (${folder})` } : model;
  });
}

function checkTargets([first, ...others]: readonly Saved[]): void {
  const targetsOf = ({ facts: { targets = [MASS] } }: Saved) => targets;
  const other = others.find((saved) => !sameTargets(targetsOf(saved), targetsOf(first!)));
  if (!other) return;
  const [a, b] = [first!, other].map((saved) => `${saved.folder} is about ${listTargets(targetsOf(saved))}`);
  throw new UsageError(`${a}, and ${b}: make a report of each by itself`);
}

function checkImages(models: readonly SavedModel[]): void {
  const [first, ...others] = models;
  const isOther = ({ predicted }: SavedModel) => {
    return imagesOf(predicted) !== imagesOf(first!.predicted) || String(predicted.truth) !== String(first!.predicted.truth);
  };
  const other = others.find(isOther);
  if (other) {
    throw new UsageError(`"${first!.name}" and "${other.name}" were judged on other images: make a report of each by itself`);
  }
}
