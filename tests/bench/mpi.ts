/** @file The exchange between ranks, part by part, with 1 and 2 ranks on this machine, and what it would take on others. */

import { runPeer } from "./peers.ts";

/** What rank 0 of several has measured, in milliseconds. */
export interface RankResult {
  readonly ranks: number;
  /** The library of MPI. */
  readonly version: string;
  /** Whether the adapter is the cores of the CPU, which ranks share. */
  readonly software: boolean;
  /** A read-back of one number: what waiting for the adapter takes. */
  readonly wait: number;
  /** Read-back of a gradient of 20 MB, that wait included. */
  readonly readBack: number;
  /** Its sum. */
  readonly sum: number;
  /** Its upload, without a wait. */
  readonly upload: number;
  /** All of that together, as a step does it. */
  readonly exchange: number;
  /** A hash of as many numbers, once an epoch. */
  readonly hash: number;
  /** A finetune step of the small model, 16 images in all. */
  readonly step: number;
}

const RANK = new URL("./mpi_rank.ts", import.meta.url).pathname;
const LIBRARY = new URL("../../tasks/mpi_library.sh", import.meta.url).pathname;

/** Share of what so many ranks could compute at best; where they share the cores of a CPU, that is what one computes. */
export function efficiencyOf({ ranks, software, step }: RankResult, alone: RankResult): number {
  return alone.step / step / (software ? 1 : ranks);
}

/** Seconds of the exchange that do not depend on the network: waits for the adapter, and what the host copies and adds. */
export function constantsOf({ wait, readBack, sum, upload }: RankResult): Pick<Plan, "waits" | "host"> {
  return { waits: wait / 1000, host: (readBack - wait + sum + upload) / 1000 };
}

/** Measures with 1 and with 2 ranks; what is not installed is said. */
export async function benchRanks(): Promise<(RankResult | { readonly ranks: number; readonly note: string })[]> {
  const results = [];
  for (const ranks of [1, 2]) {
    // more ranks than cores, and a user who is root, are refused by some launchers unless they are told
    const program = `sh -c 'L=$(sh ${LIBRARY}); exec deno run --quiet --no-check --allow-ffi=$L --allow-env ${RANK} $L ${ranks}'`;
    const flags = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1";
    const line = `${flags} timeout 300 mpirun -n ${ranks} ${program} < /dev/null`;
    const { output, note } = await runPeer("deno", ["task", "--quiet", "--eval", line]);
    results.push(output ? output as unknown as RankResult : { ranks, note });
  }
  return results;
}

/** A machine to plan for. */
export interface Plan {
  /** GFLOP of an image. */
  readonly gflop: number;
  /** GFLOP/s of a GPU in training. */
  readonly gflops: number;
  /** Images of a step on each rank. */
  readonly images: number;
  /** Bytes of the gradient. */
  readonly bytes: number;
  /** Bytes a second between GPU and host. */
  readonly bus: number;
  /** Bytes a second of a rank into the network. */
  readonly network: number;
  /** Seconds of each step that do not depend on anything: a wait for the adapter. */
  readonly waits: number;
  /** Seconds in which the host copies and adds the gradient. */
  readonly host: number;
}

/** Seconds of the parts of a step of so many ranks, each with its own GPU and its own way into the network. */
export function stepTime(ranks: number, { gflop, gflops, images, bytes, bus, network, waits, host }: Plan): Record<string, number> {
  const alone = ranks === 1;
  return {
    compute: gflop * images / gflops,
    bus: alone ? 0 : 2 * bytes / bus,
    network: 2 * bytes * (ranks - 1) / ranks / network,
    host: alone ? 0 : host,
    waits: alone ? 0 : waits,
  };
}

/** Share of the step in which the GPU computes. */
export function efficiency(ranks: number, plan: Plan): number {
  const parts = stepTime(ranks, plan);
  return parts["compute"]! / Object.values(parts).reduce((sum, part) => sum + part, 0);
}
