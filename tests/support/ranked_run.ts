/** @file A run of two processes as a user starts it, deno task mpi, each with folders of its own; and how it is killed. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { exists, removeIfPossible } from "../../lib/disk/files.ts";
import type { Random } from "../../lib/random.ts";
import { launch, type Launcher, type LaunchOptions, type Outcome, runRanks } from "./mpi.ts";
import { Workspace } from "./tasks.ts";
import { FINETUNE_TOY, writeToy } from "./toy.ts";
import { delay, epochsOf, until } from "./waiting.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
const RANKS = 2;

/**
 * Everything on that a run has to take up again, batches that 2 ranks can divide, checkpoints within epochs, and more epochs than any
 * test waits for.
 */
export const ENDLESS: readonly string[] = [
  ...FINETUNE_TOY,
  ...set(
    "training.epochs=100000",
    ...["model.embed_dim=8", "model.dropout=0.2", "data.batch_size=8", "data.augment=true", "augment.roll=phi"],
    ...["training.ema=0.9", "training.freeze_epochs=1", "training.layer_decay=0.7", "training.label_smoothing=0.1"],
    ...["training.log_target=true", "training.monitor=roc_auc", "training.keep=2", "training.accumulate=2"],
    ...["training.backbone_lr=0.0003", "training.head_lr=0.0003", "training.patience=100000", "training.checkpoint_minutes=0.005"],
  ),
];
/** Arguments that override keys. */
export function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

/** What a command prints that tests may run by way of a task alone. */
async function byTask(command: string): Promise<string> {
  const { stdout } = await new Deno.Command("deno", { args: ["task", "--quiet", "--eval", command] }).output();
  return new TextDecoder().decode(stdout);
}

/** When a file was written last. */
function changedAt(path: string): number | undefined {
  return exists(path) ? Deno.statSync(path).mtime?.getTime() : undefined;
}

/** Numbers of the processes that train in a workspace. */
async function processesOf({ root }: Workspace): Promise<string[]> {
  // the brackets keep the pattern from finding itself
  return (await byTask(`pgrep -f '${root}.*tasks/mpi[.]ts'`)).split("\n").filter(Boolean);
}

/** Two ranks, of which rank 1 has its own data and no place to write to. */
export class RankedRun {
  /** Folders of rank 0. */
  readonly first = new Workspace();
  /** Folders of rank 1. */
  readonly second = new Workspace();
  readonly #launcher: Launcher;

  /** Writes data for both. */
  constructor(launcher: Launcher) {
    this.#launcher = launcher;
    for (const { root } of [this.first, this.second]) writeToy(`${root}data/toy.h5`, 100);
    Deno.removeSync(`${this.second.root}runs`);
    Deno.writeTextFileSync(`${this.second.root}runs`, "no folder");
  }

  /** A command line that gives one rank the folders of the second workspace, and its arguments to both. */
  program(args: readonly string[], second = 1): string {
    const script = `${this.first.root}rank-${second}.sh`;
    const rank = `"$OMPI_COMM_WORLD_RANK$PMI_RANK"`;
    Deno.writeTextFileSync(script, `[ ${rank} = ${second} ] && export L2VIT_ROOT=${this.second.root}\nexec "$@"\n`);
    const ranks = args.includes("--ranks") ? [] : ["--ranks", RANKS];
    return ["sh", script, "deno task --quiet mpi", ...args, ...ranks].join(" ");
  }

  /** How both are started. */
  options(env: Record<string, string> = {}): LaunchOptions {
    return { cwd: REPOSITORY, env: { L2VIT_ROOT: this.first.root, ...env } };
  }

  /** Starts both; their folder is runs/OUT. */
  start(args: readonly string[], out = "x"): Deno.ChildProcess {
    return launch(this.#launcher, RANKS, this.program(["finetune", ...args, "--out", `runs/${out}`]), this.options()).spawn();
  }

  /** Runs both to their end, which must be a good one. */
  async succeed(args: readonly string[], out = "x", task = "finetune"): Promise<Outcome> {
    const program = this.program([task, ...args, "--out", `runs/${out}`]);
    const outcome = await runRanks(this.#launcher, RANKS, program, this.options());
    assertEquals(outcome.code, 0, outcome.stderr);
    return outcome;
  }

  /** Waits for as many more epochs of a run. */
  async epochs(child: Deno.ChildProcess, more: number, out = "x"): Promise<void> {
    const goal = epochsOf(this.first, out) + more;
    assert(await until(child, () => epochsOf(this.first, out) >= goal), "the run has ended before");
  }

  /** Sends a signal to a rank, as soon as it is there. */
  async kill(child: Deno.ChildProcess, signal: string, rank: 0 | 1): Promise<void> {
    let ended = false;
    child.status.then(() => ended = true);
    for (;;) {
      const processes = await processesOf([this.first, this.second][rank]!);
      for (const process of processes) await byTask(`kill -s ${signal} ${process}`);
      if (processes.length > 0) return;
      assert(!ended, "the run has ended before");
    }
  }

  /** Sends a signal to what has started the ranks. */
  async killLauncher(signal: string): Promise<void> {
    await byTask(`kill -s ${signal} ${(await byTask(`pgrep -f '^mpirun.*${this.first.root}'`)).trim()}`);
  }

  /**
   * Kills one of two ranks that train without an end, drawn by lot, at a moment that is drawn too: while they start, or not before there
   * is a new checkpoint to go on from.
   */
  async killAtRandom(args: readonly string[], random: Random): Promise<void> {
    const folder = `${this.first.root}runs/x`, lock = `${folder}/run.lock`, checkpoint = `${folder}/resume.safetensors`;
    // the next process makes its own
    removeIfPossible(lock);
    const before = changedAt(checkpoint);
    const child = this.start(args);
    const rank = random.below(RANKS) as 0 | 1, moment = random.below(1500), early = random.below(2) === 0;
    await until(child, () => early ? exists(lock) : changedAt(checkpoint) !== before);
    await delay(moment);
    await this.kill(child, "KILL", rank);
    assertNotEquals((await child.output()).code, 0);
    await this.assertNoOrphans();
  }

  /** Checks that no rank is left. */
  async assertNoOrphans(): Promise<void> {
    const left = async () => [...await processesOf(this.first), ...await processesOf(this.second)];
    for (let i = 0; i < 100 && (await left()).length > 0; i++) await delay(100);
    assertEquals(await left(), []);
  }

  [Symbol.dispose](): void {
    for (const workspace of [this.first, this.second]) workspace[Symbol.dispose]();
  }
}
