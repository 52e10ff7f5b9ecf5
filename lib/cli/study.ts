/**
 * @file The work of deno task study: runs of one recipe one after the other, each as deno task finetune and deno task eval would do it, and
 * what they say together.
 *
 * A member is a run folder of its own inside the study's. One that is complete is not trained again, and one that was stopped goes on, so
 * that a study can be stopped anywhere like a run.
 */

import type { RunConfig } from "../config/keys.ts";
import { exists } from "../disk/files.ts";
import { readWeights } from "../disk/weight_files.ts";
import type { Gpu } from "../gpu/device.ts";
import { finetune } from "./commands.ts";
import { ConsoleReporter, duration } from "./console.ts";
import { evaluate } from "./evaluate.ts";
import { rooted } from "./paths.ts";
import { type Member, membersOf, type StudyAxes } from "./study_members.ts";
import { checkPairs, compare, publish, readMembers, readStudy } from "./study_results.ts";
import { prepare, readConfig } from "./training.ts";

/**
 * Trains and evaluates the members of a study that are not yet, and writes and prints what they say together.
 *
 * @param recipe file of the configuration
 * @param overrides keys that all members have otherwise
 * @param against folders of other studies with members that were trained alike, to compare with
 * @throws {Interrupted} if the signal was aborted; the same call goes on
 */
export async function study(
  gpu: Gpu,
  recipe: string,
  overrides: readonly string[],
  axes: StudyAxes,
  { against, signal }: { readonly against: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const reporter = new ConsoleReporter();
  const config = readConfig(recipe, overrides), members = membersOf(config, axes);
  const folder = config.output.dir.replace(/\/+$/, "");
  const others = against.map((other) => ({ against: other, members: readStudy(other) }));
  for (const other of others) checkPairs(members, other.members, other.against);
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
  const trained = readMembers(members, rooted(folder));
  const comparisons = others.flatMap((other) => compare({ members: trained, folder: rooted(folder) }, other, config.data.seed));
  publish(rooted(folder), trained, comparisons, reporter);
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

function isNewer(path: string, than: string): boolean {
  return exists(path) && Deno.statSync(path).mtime! >= Deno.statSync(than).mtime!;
}
