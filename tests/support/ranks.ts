/** @file Ranks that live in one process, each an asynchronous function: what ranks compute, without MPI. */

import type { Communicator } from "../../lib/train/rank_exchange.ts";

/**
 * Runs so many ranks at once.
 *
 * @returns what each of them returns
 */
export async function inRanks<Result>(size: number, rank: (world: Communicator) => Promise<Result>): Promise<Result[]> {
  const meeting = new Meeting(size);
  return await Promise.all(Array.from({ length: size }, (_, number) => rank(meeting.communicator(number))));
}

/** Where ranks lay down what they bring, and look at it when all have. */
class Meeting {
  readonly #size: number;
  #brought: unknown[] = [];
  #all = Promise.withResolvers<unknown[]>();

  constructor(size: number) {
    this.#size = size;
  }

  async #bring<T>(rank: number, what: T): Promise<T[]> {
    const all = this.#all;
    this.#brought[rank] = what;
    if (Object.keys(this.#brought).length === this.#size) {
      all.resolve(this.#brought);
      this.#brought = [];
      this.#all = Promise.withResolvers();
    }
    return await all.promise as T[];
  }

  communicator(rank: number): Communicator {
    return {
      rank,
      size: this.#size,
      sum: async (values, factor = 1) => {
        const all = await this.#bring(rank, values.slice());
        values.forEach((_, i) => values[i] = all.map((other) => other[i]!).reduce((a, b) => Math.fround(a + b)) * factor);
      },
      gather: async (mine) => Float32Array.from((await this.#bring(rank, mine)).flatMap((numbers) => [...numbers])),
      broadcast: async (bytes) => bytes.set((await this.#bring(rank, bytes.slice()))[0]!),
      barrier: async () => void await this.#bring(rank, undefined),
    };
  }
}
