/**
 * @file One of the processes of world_test.ts: does what its first argument names, one thing after the other, and prints what came of it
 * as lines of JSON.
 */

import { createHash } from "node:crypto";
import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { World } from "../../lib/mpi/world.ts";
import { RankExchange } from "../../lib/train/rank_exchange.ts";
import { train } from "../support/parts.ts";
import { delay } from "../support/waiting.ts";

/** Methods whose steps processes compute: one of each kind of exchange. */
export const TRAINED: readonly string[] = ["finetuning", "SimCLR", "MAE"];

/** Numbers whose sum depends on the order of the summands. */
export function numbersOf(rank: number, count = 10_007): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1 + 37 * i + 1000 * rank) * 10 ** ((i + 3 * rank) % 7));
}

/** Tells numbers by their bits. */
export function hashOf(numbers: Float32Array<ArrayBuffer>): string {
  return createHash("sha256").update(new Uint8Array(numbers.buffer)).digest("hex");
}

const DEEDS: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  async calls(world) {
    const { rank, size, node, version } = world;
    const sums = numbersOf(rank);
    await world.sum(sums, 0.5);
    const word = new Uint8Array(5);
    if (rank === 0) word.set(new TextEncoder().encode("hello"));
    await world.broadcast(word);
    const gathered = await world.gather(Float32Array.of(rank, 10 * rank));
    await world.barrier();
    return { rank, size, node, version, sums: hashOf(sums), word: new TextDecoder().decode(word), gathered: [...gathered] };
  },

  /** Trains by some methods; rank 0 writes the numbers to a file, once it is sure that all ranks have the same. */
  async train(world) {
    hideWaylandWarning();
    using gpu = await Gpu.open();
    const exchange = new RankExchange(world);
    const methods: Record<string, Record<string, number[]>> = {};
    for (const name of TRAINED) {
      const trained = Object.entries(await train(gpu, name, {}, exchange));
      methods[name] = Object.fromEntries(trained.map(([what, numbers]) => [what, [...numbers]]));
      await exchange.same(`Numbers of ${name}`, () => Promise.resolve(JSON.stringify(methods[name])));
    }
    if (world.rank === 0) Deno.writeTextFileSync(Deno.args[4]!, JSON.stringify(methods));
  },

  /** Rank 1 never comes; what is printed meanwhile shows that timers go on. */
  async wait(world) {
    if (world.rank === 1) await delay(60_000);
    let turns = 0;
    setInterval(() => ++turns === 5 && console.log(JSON.stringify({ rank: world.rank, turns })), 20);
    await world.barrier();
  },

  /** Rank 1 ends with an error. */
  async fail(world) {
    if (world.rank === 1) {
      console.error("rank 1 has failed");
      world.abort(3);
    }
    await world.barrier();
  },

  /** Rank 1 is killed. */
  async die(world) {
    if (world.rank === 1) Deno.kill(Deno.pid, "SIGKILL");
    await world.barrier();
  },
};

if (import.meta.main) {
  const [deeds, library, ranks, patience] = Deno.args as [string, string, string, string];
  try {
    const world: World = new World({
      library,
      patience: Number(patience),
      overdue(what) {
        console.error(`waited too long for ${what}`);
        world.abort(4);
      },
    });
    world.expect(Number(ranks));
    for (const deed of deeds.split(",")) {
      const result = await DEEDS[deed]!(world);
      // one write a line: processes share a pipe
      if (result !== undefined) Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(result)}\n`));
    }
    Deno.stdout.writeSync(new TextEncoder().encode("done\n"));
    world.finalize();
    Deno.exit(0);
  } catch (error) {
    console.error(`${(error as Error).name}: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
