/**
 * @file The processes that mpirun or srun has started: how one of them joins the others, and how it ends.
 *
 * What goes wrong on all ranks, such as a key that is not known, is said once: rank 0 speaks at once and ends the others, each of which
 * waits a moment before it would speak itself. What goes wrong on one rank alone is said by that one.
 */

import { Interrupted } from "../interrupted.ts";
import { World } from "../mpi/world.ts";
import { RankExchange } from "../train/rank_exchange.ts";
import { whileHeard } from "./console.ts";
import type { Arguments, Ending } from "./task.ts";
import { describeAdapter } from "./training.ts";
import type { Gpu } from "../gpu/device.ts";

/** Options of a task of several ranks. */
export const RANK_OPTIONS = {
  "ranks=N": "processes that mpirun or srun has started: compared with what the library of MPI says",
  "wait=SECONDS": "longest wait for another rank (300)",
} as const;

const PATIENCE = 300;
/**
 * Milliseconds before a rank says what an earlier one may say too: the first wait, the next ones, and the most; and before it ends
 * the others, once it has spoken.
 */
const MOMENT = { first: 3000, next: 250, most: 8000, heard: 300 };

/** This process among the others. */
export class Ranks implements Ending {
  #world: World | undefined;
  #exchange: RankExchange | undefined;
  /** True if all have stopped after the same step, with the state saved. */
  #together = false;
  /** True while what goes wrong does so on all ranks alike. */
  #alike = false;

  /**
   * Joins the others.
   *
   * @throws {MpiError} if the library cannot be used, or knows of another number of processes
   */
  join({ args, signal }: { readonly args: Arguments; readonly signal: AbortSignal }): RankExchange {
    const ranks = args.whole("ranks", 1)!, patience = args.whole("wait", 1) ?? PATIENCE;
    const overdue = (what: string) => {
      const rank = this.#world?.rank;
      whileHeard(() =>
        console.error(
          `error: rank ${rank} has waited ${patience} s for ${what}: a rank hangs, or is slower than that. The run is ended; start it again ` +
            "to go on from its last checkpoint, with a longer --wait if nothing hangs",
        )
      );
      this.leave(1);
      Deno.exit(1);
    };
    this.#world = new World({ library: Deno.env.get("L2VIT_MPI") ?? "", patience, overdue });
    this.#alike = true;
    this.#world.expect(ranks);
    this.#alike = false;
    return this.#exchange = new RankExchange(this.#world, signal);
  }

  /** Says what each rank runs on, and whether they may share a GPU. */
  async describe({ adapter }: Gpu, line: (text: string) => void): Promise<void> {
    const { node, version } = this.#world!;
    const texts = await this.#exchange!.texts(`${node}\n${adapter.software ? "" : adapter.name}\n${describeAdapter(adapter)}`);
    line(`${texts.length} ranks, tied together by ${version}`);
    const places = texts.map((text) => text.split("\n") as [node: string, name: string, what: string]);
    places.forEach(([node, , what], rank) => line(`rank ${rank} on ${node}: ${what}`));
    for (const shared of sharedAdapters(places)) line(shared);
  }

  async speaks(error: Error): Promise<boolean> {
    this.#together = error instanceof Interrupted && (this.#exchange?.stopAsked() ?? false);
    if (this.#together || this.#alike) return this.#world!.rank === 0;
    const rank = this.#world?.rank ?? Number(Deno.env.get("L2VIT_RANK") ?? 0);
    if (rank > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(MOMENT.most, MOMENT.first + rank * MOMENT.next)));
    return true;
  }

  leave(code: number): void {
    const world = this.#world;
    if (!world) return;
    // MPICH's mpirun may end with 0 after a signal that was sent to it, whatever the ranks end with, unless one of them aborts
    const forgotten = this.#together && world.family === "MPICH" && world.rank === 0;
    if (!forgotten && (code === 0 || this.#together || this.#alike)) world.finalize();
    else {
      // a launcher that is told to end all may drop what it has not yet passed on
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, MOMENT.heard);
      world.abort(code);
    }
  }
}

/** A warning for each GPU's name that several ranks of one machine have: it may be one GPU. */
export function sharedAdapters(places: readonly (readonly [node: string, name: string, ...unknown[]])[]): string[] {
  const ranks = new Map<string, number[]>();
  places.forEach(([node, name], rank) => {
    if (name !== "") ranks.set(`${name} of ${node}`, [...(ranks.get(`${name} of ${node}`) ?? []), rank]);
  });
  return [...ranks].filter(([, numbers]) => numbers.length > 1).map(([what, numbers]) =>
    `Warning: ranks ${numbers.join(", ")} run on ${what}, which is one GPU unless each was given its own: deno task doctor says how`
  );
}
