/**
 * @file The work of deno task study: runs of one recipe one after the other, each as deno task finetune and deno task eval would do it, and
 * what they say together.
 *
 * A member is a run folder of its own inside the study's. One that is complete is not trained again, and one that was stopped goes on, so
 * that a study can be stopped anywhere like a run.
 */

import type { RunConfig } from "../config/keys.ts";
import { trainingSeed } from "../config/seeds.ts";
import type { Difference, Interval } from "../eval/bootstrap.ts";
import { MEASURES, type MeasureValues } from "../eval/measures.ts";
import { holm } from "../eval/mcnemar.ts";
import { compareStudies, type Spread, spreads } from "../eval/study.ts";
import { formatReal, NOT_DEFINED } from "../format.ts";
import type { Gpu } from "../gpu/device.ts";
import { makeFolder, writeFileAtomic } from "../disk/atomic.ts";
import { exists } from "../disk/files.ts";
import { formatJson } from "../io/json.ts";
import { learningCurves, type StudyGroup, studyPage } from "../report/study_page.ts";
import { readWeights } from "../disk/weight_files.ts";
import { finetune } from "./commands.ts";
import { ConsoleReporter, duration, table } from "./console.ts";
import { evaluate } from "./evaluate.ts";
import { rooted } from "./paths.ts";
import { imagesOf, type Predicted, readPredictions, resultsOf } from "./predictions.ts";
import { UsageError } from "./task.ts";
import { prepare, readConfig } from "./training.ts";

/** What the members of a study differ in. */
export interface StudyAxes {
  /** How many seeds of training; 1 by default. */
  readonly seeds?: number | undefined;
  /** Parts of a cross-validation, each of which is for testing once; none by default. */
  readonly folds?: number | undefined;
  /** Numbers of training images; all by default. */
  readonly trainImages?: readonly number[] | undefined;
}

/** A run of a study. */
export interface Member {
  /** Name of its folder in the study's. */
  readonly name: string;
  /** Training images, if the study has several numbers of them. */
  readonly images: number | undefined;
  /** The keys in which it differs from the recipe, as for `--set`. */
  readonly set: readonly string[];
}

/** A study as its file describes it. */
interface StudyRecord {
  readonly members: readonly (Pick<Member, "name" | "images"> & { readonly measures: MeasureValues })[];
}

/** The members of a study, those of one number of training images together. */
export function membersOf(config: RunConfig, { seeds, folds, trainImages }: StudyAxes): Member[] {
  const first = trainingSeed(config);
  const sizes = trainImages?.map((images) => ({ images, name: `train-${images}`, set: [`data.max_train_images=${images}`] }));
  const parts = folds === undefined ? undefined : count(folds).map((fold) => {
    return { name: `fold-${fold}`, set: [`data.folds=${folds}`, `data.fold=${fold}`] };
  });
  const seeded = seeds === undefined ? undefined : count(seeds).map((i) => {
    return { name: `seed-${first + i}`, set: [`training.seed=${first + i}`] };
  });
  const none = [{ name: "", set: [] as string[] }];
  return (sizes ?? [{ images: undefined, ...none[0]! }]).flatMap((size) =>
    (parts ?? none).flatMap((part) =>
      (seeded ?? none).map((seed) => ({
        name: [size, part, seed].map(({ name }) => name).filter((name) => name !== "").join("-"),
        images: size.images,
        set: [size, part, seed].flatMap(({ set }) => set),
      }))
    )
  );
}

/**
 * Trains and evaluates the members of a study that are not yet, and writes and prints what they say together.
 *
 * @param recipe file of the configuration
 * @param overrides keys that all members have otherwise
 * @param against folder of another study with members of the same names, to compare with
 * @throws {Interrupted} if the signal was aborted; the same call goes on
 */
export async function study(
  gpu: Gpu,
  recipe: string,
  overrides: readonly string[],
  axes: StudyAxes,
  { against, signal }: { readonly against?: string | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const reporter = new ConsoleReporter();
  const config = readConfig(recipe, overrides), members = membersOf(config, axes);
  const folder = config.output.dir.replace(/\/+$/, "");
  const other = against === undefined ? undefined : readStudy(against);
  if (other) pairOf(members, other, against!);
  const clock = new StudyClock(members);
  for (const [i, member] of members.entries()) {
    reporter.line(`\nMember ${i + 1} of ${members.length}: ${member.name}${clock.left(i)}`);
    const began = performance.now();
    const worked = await runMember(gpu, readConfig(recipe, [...overrides, ...member.set, `output.dir=${folder}/${member.name}`]), {
      name: member.name,
      mark: `${i + 1}/${members.length} `,
      reporter,
      signal,
    });
    clock.add(i, worked ? performance.now() - began : undefined);
  }
  const record: StudyRecord = {
    members: members.map(({ name, images }) => ({ name, images, measures: measuresOf(`${rooted(folder)}/${name}`, name) })),
  };
  const groups = groupsOf(record);
  const comparisons = other === undefined ? [] : groups.map((group) => ({
    group,
    differences: compare(group.members, rooted(folder), rooted(against!), config.data.seed),
  }));
  publish(rooted(folder), groups, comparisons, against, reporter);
}

/** Trains and evaluates a run; false if both had been done. */
async function runMember(
  gpu: Gpu,
  config: RunConfig,
  { name, mark, reporter, signal }: { name: string; mark: string; reporter: ConsoleReporter; signal: AbortSignal },
): Promise<boolean> {
  using setup = prepare(config, false);
  const marked = {
    line: (text: string) => setup.reporter.line(text),
    counting: setup.reporter.counting,
    progress: (text: string, done: number, total: number, perSecond: number, left?: number) => {
      setup.reporter.progress(mark + text, done, total, perSecond, left);
    },
  };
  await finetune(gpu, { ...setup, reporter: marked }, { signal });
  const { best, path } = setup.folder;
  if (isNewer(`${path}/metrics.json`, best)) return false;
  await evaluate(gpu, config, [{ name, members: [readWeights(best)] }], path, reporter, {
    formats: ["json", "csv"],
    task: "study",
    signal,
  });
  return true;
}

/** Tells how long the members that are left may take, from those that this process has trained. */
class StudyClock {
  readonly #members: readonly Member[];
  #milliseconds = 0;
  #images = 0;

  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Notes how long a member took; nothing if it had been complete. */
  add(member: number, milliseconds: number | undefined): void {
    if (milliseconds === undefined) return;
    this.#milliseconds += milliseconds;
    this.#images += this.#members[member]!.images ?? 1;
  }

  /** The time left before a member begins, in words; nothing as long as none has been trained. */
  left(member: number): string {
    if (this.#images === 0) return "";
    const images = this.#members.slice(member).reduce((sum, { images }) => sum + (images ?? 1), 0);
    return ` (about ${duration(images * this.#milliseconds / this.#images / 1000)} left for the study)`;
  }
}

function count(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function isNewer(path: string, than: string): boolean {
  return exists(path) && Deno.statSync(path).mtime! >= Deno.statSync(than).mtime!;
}

/** The measures of a member on its test images, from its metrics.json. */
function measuresOf(folder: string, name: string): MeasureValues {
  const { models } = JSON.parse(Deno.readTextFileSync(`${folder}/metrics.json`));
  const values = models[name] as Record<string, number | string | null>;
  return Object.fromEntries(
    Object.keys(MEASURES).map((measure) => {
      const value = values[measure] ?? null;
      return [measure, typeof value === "string" ? Number(value) : value];
    }),
  );
}

function readStudy(against: string): StudyRecord {
  const path = `${rooted(against)}/study.json`;
  if (!exists(path)) throw new UsageError(`--against ${against}: there is no complete study, ${path} is missing`);
  return JSON.parse(Deno.readTextFileSync(path)) as StudyRecord;
}

/** Checks that each member has one to be compared with. */
function pairOf(members: readonly Member[], { members: others }: StudyRecord, against: string): void {
  const alone = members.find(({ name }) => !others.some((other) => other.name === name));
  if (alone) throw new UsageError(`--against ${against}: that study has no member ${alone.name} to compare with`);
}

function groupsOf({ members }: StudyRecord): StudyGroup[] {
  return [...Map.groupBy(members, ({ images }) => images)].map(([images, of]) => {
    return {
      images,
      members: of.map(({ name, measures }) => ({ name, measures })),
      spreads: spreads(of.map(({ measures }) => measures)),
    };
  });
}

/** Differences of a group's members and those of the same names in another study. */
function compare(members: StudyGroup["members"], folder: string, other: string, seed: number): Record<string, Difference | null> {
  const images: string[] = [];
  const pairs = members.map(({ name }) => {
    const [ours, theirs] = [folder, other].map((of) => [...readPredictions(`${of}/${name}/predictions.csv`).values()][0]!) as [
      Predicted,
      Predicted,
    ];
    if (imagesOf(ours) !== imagesOf(theirs)) throw new UsageError(`--against: ${name} was tested on other images there`);
    images.push(imagesOf(ours));
    return [resultsOf(ours), resultsOf(theirs)] as const;
  });
  return compareStudies(pairs, images, seed);
}

/** Differences of the members of a group from those of another study. */
interface GroupComparison {
  readonly group: StudyGroup;
  readonly differences: Record<string, Difference | null>;
}

function publish(
  folder: string,
  groups: readonly StudyGroup[],
  comparisons: readonly GroupComparison[],
  against: string | undefined,
  reporter: ConsoleReporter,
): void {
  const compared = comparisons.map(({ group: { images }, differences }) => ({ images: images ?? null, differences }));
  const members = groups.flatMap(({ images, members }) => members.map((member) => ({ images: images ?? null, ...member })));
  const summary = groups.map(({ images, spreads }) => ({ images: images ?? null, measures: spreads }));
  makeFolder(folder);
  writeFileAtomic(
    `${folder}/study.json`,
    formatJson({ members, groups: summary, ...(against !== undefined && { against, comparisons: compared }) }),
  );
  const curves = learningCurves(groups);
  const sections = groups.map((group) => ({ title: titleOf(group), rows: spreadRows(group) }));
  const differences = comparisons.map(({ group, differences }) => {
    return { title: `${titleOf(group)}, against ${against}`, rows: differenceRows(differences) };
  });
  for (const { title, rows } of [...sections, ...differences]) {
    reporter.line(`\n${title}\n${table(rows[0]!, rows.slice(1))}`);
  }
  writeFileAtomic(`${folder}/study.html`, studyPage([...sections, ...differences], curves));
  const models = groups[0]!.members.map(({ name }) => `${folder}/${name}/best.safetensors`);
  reporter.line(`\nIn ${folder}: study.html (open it in a browser), the numbers in study.json, and a folder for each member`);
  reporter.line(`Their report, with curves of each: deno task report ${folder}`);
  if (models.length > 1) reporter.line(`Their ensemble: deno task eval --model ensemble=${models.join()}`);
}

function titleOf({ images, members }: StudyGroup): string {
  return `${members.length} ${members.length === 1 ? "member" : "members"}${
    images === undefined ? "" : `, ${images} training images`
  }`;
}

function ends(interval: Interval | null, digits: number): string {
  return interval ? `[${interval.map((end) => formatReal(end, digits)).join(", ")}]` : NOT_DEFINED;
}

function spreadRows({ spreads }: StudyGroup): string[][] {
  const rows = Object.entries(MEASURES).map(([name, { label, digits }]) => {
    const { mean, deviation, interval } = spreads[name] as Spread;
    return [label, formatReal(mean, digits), formatReal(deviation, digits), ends(interval, digits)];
  });
  return [["test images", "mean", "deviation", "95 % of the mean"], ...rows];
}

function differenceRows(differences: Record<string, Difference | null>): string[][] {
  const shown = (p: number | null) => p === null ? NOT_DEFINED : p.toPrecision(2);
  const corrected = holm(Object.keys(MEASURES).map((name) => differences[name]?.p ?? null));
  const rows = Object.entries(MEASURES).map(([name, { label, digits }], i) => {
    const found = differences[name];
    if (!found) return [label, NOT_DEFINED, "", "", ""];
    const { difference, interval, p } = found;
    return [label, formatReal(difference, digits), ends(interval, digits), shown(p), shown(corrected[i]!)];
  });
  return [["difference", "mean", "95 %", "p", "with Holm's correction"], ...rows];
}
