/** @file What the members of a study say together: means and intervals, comparisons with other studies, and the files and tables of both. */

import { makeFolder, writeFileAtomic } from "../disk/atomic.ts";
import { exists } from "../disk/files.ts";
import type { Difference, Interval } from "../eval/bootstrap.ts";
import { compareStudies, type MemberPair } from "../eval/compare_studies.ts";
import { holm } from "../eval/mcnemar.ts";
import { listTargets, MASS, sameTargets, type Target } from "../data/targets.ts";
import { byMeasure, measuresOf, type MeasureValues } from "../eval/measures.ts";
import { type Spread, spreads } from "../eval/spread.ts";
import type { TestResults } from "../eval/test_results.ts";
import { type Digits, formatReal, NOT_DEFINED } from "../format.ts";
import { formatJson } from "../io/json.ts";
import { learningCurves, type StudyGroup, studyPage } from "../report/study_page.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { rooted } from "./paths.ts";
import { imagesOf, type Predicted, readPredictions, resultsOf } from "./predictions.ts";
import type { Member } from "./study_members.ts";
import { UsageError } from "./task.ts";

/** A member of a study as its file describes it. */
type TrainedMember = Pick<Member, "name" | "images" | "backbone" | "way"> & { readonly measures: MeasureValues };

/** Members of one number of training images, less those of another study. */
interface Comparison {
  readonly against: string;
  readonly images: number | undefined;
  readonly differences: Record<string, Difference | null>;
}

/** The members with their measures on their test images, from their metrics.json. */
export function readMembers(members: readonly Member[], folder: string): TrainedMember[] {
  return members.map(({ name, images, backbone, way }) => {
    const { models, targets } = readMetrics(`${folder}/${name}`);
    const values = models[name]!;
    const measures = byMeasure(targets, (measure) => {
      const value = values[measure] ?? null;
      return typeof value === "string" ? Number(value) : value;
    });
    return { name, images, backbone, way, measures };
  });
}

/** Measures of the models that a member was tested as, and what they predict beside the class. */
function readMetrics(folder: string): {
  readonly models: Readonly<Record<string, Readonly<Record<string, number | string | null>>>>;
  readonly targets: readonly Target[];
} {
  const { models, targets = [MASS] } = JSON.parse(Deno.readTextFileSync(`${folder}/metrics.json`));
  return { models, targets };
}

/**
 * The members of another study, from its study.json.
 *
 * @throws {UsageError} if it is not complete
 */
export function readStudy(against: string): TrainedMember[] {
  const path = `${rooted(against)}/study.json`;
  if (!exists(path)) throw new UsageError(`--against ${against}: there is no complete study, ${path} is missing`);
  const { members } = JSON.parse(Deno.readTextFileSync(path)) as {
    members: readonly (TrainedMember & { backbone: number | null })[];
  };
  return members.map((member) => ({ ...member, images: member.images ?? undefined, backbone: member.backbone ?? undefined }));
}

/** True for members of two studies that were trained alike: with the same backbone too, if both studies have several. */
function alike(one: Pick<Member, "way" | "backbone">, other: Pick<Member, "way" | "backbone">): boolean {
  return one.way === other.way && (one.backbone ?? other.backbone) === (other.backbone ?? one.backbone);
}

/** Checks that each member has one to be compared with. */
export function checkPairs(members: readonly Member[], others: readonly TrainedMember[], against: string): void {
  const alone = members.find((member) => !others.some((other) => alike(member, other)));
  if (alone) throw new UsageError(`--against ${against}: that study has no member ${alone.name} to compare with`);
}

/** Differences of the members of each number of training images from those of another study that were trained alike. */
export function compare(
  { members, folder }: { readonly members: readonly TrainedMember[]; readonly folder: string },
  { against, members: others }: { readonly against: string; readonly members: readonly TrainedMember[] },
  seed: number,
): Comparison[] {
  return [...Map.groupBy(members, ({ images }) => images)].map(([images, group]) => {
    const read = reader();
    const pairs = group.flatMap((member) =>
      others.filter((other) => alike(member, other)).map((other): MemberPair => {
        const [ours, theirs] = [read(`${folder}/${member.name}`), read(`${rooted(against)}/${other.name}`)];
        if (ours.images !== theirs.images) {
          throw new UsageError(`--against ${against}: ${other.name} was tested on other images there`);
        }
        if (!sameTargets(ours.results.targets, theirs.results.targets)) {
          const of = `${listTargets(theirs.results.targets)} there, and ${listTargets(ours.results.targets)} here`;
          throw new UsageError(`--against ${against}: its members predict ${of}. Compare studies of the same targets`);
        }
        const backbone = String(member.backbone ?? other.backbone ?? "");
        return { first: ours.results, second: theirs.results, images: ours.images, backbone, way: member.way };
      })
    );
    return { against, images, differences: compareStudies(pairs, seed) };
  });
}

/** Reads what a member has predicted, once for all of its pairs. */
function reader(): (folder: string) => { images: string; results: TestResults } {
  const known = new Map<string, { images: string; results: TestResults }>();
  return (folder) => {
    const read = known.get(folder);
    if (read) return read;
    const [predicted] = [...readPredictions(`${folder}/predictions.csv`).values()] as [Predicted];
    const found = { images: imagesOf(predicted), results: resultsOf(predicted, readMetrics(folder).targets) };
    known.set(folder, found);
    return found;
  };
}

function groupsOf(members: readonly TrainedMember[], targets: readonly Target[]): StudyGroup[] {
  return [...Map.groupBy(members, ({ images }) => images)].map(([images, of]) => {
    const backbones = of.flatMap(({ backbone }) => backbone ?? []);
    return { images, members: of, spreads: spreads(of.map(({ measures }) => measures), targets, backbones) };
  });
}

/** Writes study.json and study.html, and prints their tables. */
export function publish(
  folder: string,
  members: readonly TrainedMember[],
  comparisons: readonly Comparison[],
  reporter: ConsoleReporter,
): void {
  const { targets } = readMetrics(`${folder}/${members[0]!.name}`), groups = groupsOf(members, targets);
  const json = {
    members: members.map((member) => ({ ...member, images: member.images ?? null, backbone: member.backbone ?? null })),
    groups: groups.map(({ images, spreads }) => ({ images: images ?? null, measures: spreads })),
    comparisons: comparisons.map((comparison) => ({ ...comparison, images: comparison.images ?? null })),
  };
  makeFolder(folder);
  writeFileAtomic(`${folder}/study.json`, formatJson(json));
  const tables = [
    ...groups.map((group) => ({ title: titleOf(group), rows: spreadRows(group, targets) })),
    ...comparisons.map(({ against, images, differences }) => {
      return {
        title: `${titleOf(groups.find((group) => group.images === images)!)}, against ${against}`,
        rows: differenceRows(differences, targets),
      };
    }),
  ];
  for (const { title, rows } of tables) reporter.line(`\n${title}\n${table(rows[0]!, rows.slice(1))}`);
  writeFileAtomic(`${folder}/study.html`, studyPage(tables, learningCurves(groups, targets)));
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

function ends(interval: Interval | null, digits: Digits): string {
  return interval ? `[${interval.map((end) => formatReal(end, digits)).join(", ")}]` : NOT_DEFINED;
}

function spreadRows({ spreads }: StudyGroup, targets: readonly Target[]): string[][] {
  const rows = Object.entries(measuresOf(targets)).map(([name, { label, digits }]) => {
    const { mean, deviation, interval } = spreads[name] as Spread;
    return [label, formatReal(mean, digits), formatReal(deviation, digits), ends(interval, digits)];
  });
  return [["test images", "mean", "deviation", "95 % of the mean"], ...rows];
}

function differenceRows(differences: Record<string, Difference | null>, targets: readonly Target[]): string[][] {
  const measures = measuresOf(targets);
  const shown = (p: number | null) => p === null ? NOT_DEFINED : p.toPrecision(2);
  const corrected = holm(Object.keys(measures).map((name) => differences[name]?.p ?? null));
  const rows = Object.entries(measures).map(([name, { label, digits }], i) => {
    const found = differences[name];
    if (!found) return [label, NOT_DEFINED, "", "", ""];
    const { difference, interval, p } = found;
    return [label, formatReal(difference, digits), ends(interval, digits), shown(p), shown(corrected[i]!)];
  });
  return [["difference", "mean", "95 %", "p", "with Holm's correction"], ...rows];
}
