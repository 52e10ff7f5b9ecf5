/** @file The work of deno task watch: curves of runs from their metrics.jsonl, as a page or in characters. */

import { MASS, type Target } from "../data/targets.ts";
import { exists } from "../disk/files.ts";
import { readWeightFile } from "../disk/weight_files.ts";
import { formatSpeed } from "../format.ts";
import { isRecord } from "../io/json.ts";
import { pageDocument } from "../report/report_page.ts";
import { curveFigures } from "../report/sections/training_curves.ts";
import { element, escapeText, namedFigures } from "../report/svg.ts";
import { textChart } from "../report/text_chart.ts";
import { type Curve, curvesOf, type History } from "../weights/history.ts";
import { namedTargets } from "../weights/target_info.ts";
import { rooted } from "./paths.ts";
import { UsageError } from "./task.ts";

/** A run as its metrics tell of it. */
export interface WatchedRun {
  readonly name: string;
  /** Curves, such as "val_loss": a value for each epoch. */
  readonly history: History;
  /** What it learns beside classes. */
  readonly targets: readonly Target[];
  /** The last epoch's numbers; none before the first. */
  readonly last: Readonly<Record<string, number>> | undefined;
}

/**
 * Folders of runs: those given, and of a study those of its members.
 *
 * @throws {UsageError} if there is no such folder
 */
export function runsOf(paths: readonly string[]): string[] {
  return paths.flatMap((given) => {
    const path = given.replace(/\/+$/, "");
    if (!exists(rooted(path))) throw new UsageError(`${path}: there is no such folder of a run`);
    if (exists(`${rooted(path)}/metrics.jsonl`) || exists(`${rooted(path)}/resume.safetensors`)) return [path];
    const members = [...Deno.readDirSync(rooted(path))].filter(({ isDirectory }) => isDirectory).map(({ name }) =>
      `${path}/${name}`
    );
    return members.length > 0 ? members.sort() : [path];
  });
}

/** What a run has written so far; a last line that is being written is left out. */
export function readRun(path: string): WatchedRun {
  const file = `${rooted(path)}/metrics.jsonl`;
  const epochs = exists(file) ? Deno.readTextFileSync(file).split("\n").flatMap(parsed) : [];
  const history: History = {};
  for (const [i, metrics] of epochs.entries()) {
    for (const [name, value] of Object.entries(metrics)) {
      const curve = history[name] ??= [];
      while (curve.length < i) curve.push(NaN);
      curve.push(typeof value === "number" ? value : NaN);
    }
  }
  return { name: path, history, targets: targetsOf(rooted(path)), last: epochs.at(-1) as WatchedRun["last"] };
}

/** Targets as the run's weights name them; the mass as long as there are none. */
function targetsOf(folder: string): readonly Target[] {
  const path = `${folder}/latest.safetensors`;
  return (exists(path) ? namedTargets(readWeightFile(path).metadata) : undefined) ?? [MASS];
}

/** Curves that any of the runs has. */
function curvesOfAll(runs: readonly WatchedRun[]): Readonly<Record<string, Curve>> {
  return Object.assign({}, ...runs.map(({ targets }) => curvesOf(targets)));
}

function parsed(line: string): Record<string, unknown>[] {
  try {
    const metrics: unknown = JSON.parse(line);
    return isRecord(metrics) ? [metrics] : [];
  } catch {
    return [];
  }
}

/** A page with the curves of all runs. */
export function watchPage(runs: readonly WatchedRun[]): string {
  return pageDocument("L2ViT: runs", [
    element("h1", {}, "L2ViT: runs"),
    ...runs.map((run) => element("p", {}, escapeText(describeRun(run)))),
    element("div", { class: "figures" }, ...namedFigures(curveFigures(runs, curvesOfAll(runs)))),
  ]);
}

/** The same curves in characters. */
export function watchText(runs: readonly WatchedRun[], columns: number): string {
  const width = Math.max(20, Math.min(120, columns - 14));
  const charts = Object.entries(curvesOfAll(runs)).flatMap(([key, { title, unit = "" }]) => {
    const curves = runs.flatMap(({ name, history }) => {
      const values = history[`val_${key}`];
      return values ? [{ name, values }] : [];
    });
    return curves.length > 0 ? [textChart(`${title}${unit === "" ? "" : ` in ${unit}`} (validation)`, curves, width, 8)] : [];
  });
  return [...runs.map(describeRun), ...charts].join("\n\n");
}

/** Where a run is, in a line. */
function describeRun({ name, last }: WatchedRun): string {
  if (!last) return `${name}: no epoch is complete yet`;
  const { epoch, step, images_per_s: speed } = last;
  return `${name}: epoch ${epoch}, step ${step}${speed === undefined ? "" : `, ${formatSpeed(speed)} images/s`}`;
}
