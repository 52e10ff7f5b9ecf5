/**
 * @file The exchange between the ranks of a run: everything that has to travel, in one read-back, one sum in the order of the ranks, and
 * one upload a step.
 *
 * With the gradient travel what batch normalisation and the table of results need, and two flags: a signal that has reached one rank
 * stops all of them after the same step, and all collect results after the same step, as rank 0 finds it is time.
 */

import { sha256 } from "../data/fingerprint.ts";
import type { Gpu } from "../gpu/device.ts";
import { type PlacedTensor, read, write } from "../tensor/tensor.ts";
import type { Division } from "./division.ts";
import type { Exchange } from "./exchange.ts";

/** What ties processes together, such as lib/mpi's World. */
export interface Communicator {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Adds the numbers of all ranks up in the order of the ranks, times a factor. */
  sum(values: Float32Array<ArrayBuffer>, factor?: number): Promise<void>;
  /** The numbers of all ranks, one after the other. */
  gather(mine: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>;
  /** Fills the bytes of all ranks with those of rank 0. */
  broadcast(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Waits for the others. */
  barrier(): Promise<void>;
}

/** Ranks whose weights have become different. */
export class RanksDiffer extends Error {
  /** Name of the error class. */
  override readonly name = "RanksDiffer";
}

/** Milliseconds between two looks at the results of steps, and most steps between them. */
const LOOK_EVERY = 700, MOST_STEPS = 32;
/** Bytes of a text that ranks tell one another. */
const MOST_TEXT = 512;

/** Ties the ranks of a run together. */
export class RankExchange implements Exchange {
  readonly rank: number;
  readonly ranks: number;
  readonly #world: Communicator;
  readonly #signal: AbortSignal | undefined;
  #flat = new Float32Array(0);
  #stop = false;
  #collect = false;
  #steps = 0;
  #collectedAt = performance.now();

  /** @param signal asks this rank, and with it all of them, to stop */
  constructor(world: Communicator, signal?: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
    this.rank = world.rank;
    this.ranks = world.size;
  }

  /** Puts the means over all ranks into tensors. */
  async mean(gpu: Gpu, tensors: readonly PlacedTensor[]): Promise<void> {
    if (this.ranks === 1) return;
    const flat = await this.#readAll(gpu, tensors);
    const isTime = this.rank === 0 && (++this.#steps >= MOST_STEPS || performance.now() - this.#collectedAt >= LOOK_EVERY);
    flat.set([this.#signal?.aborted ? 1 : 0, isTime ? 1 : 0], flat.length - 2);
    await this.#world.sum(flat, 1 / this.ranks);
    const [stop, collect] = flat.subarray(flat.length - 2);
    this.#stop ||= stop! > 0;
    this.#collect ||= collect! > 0;
    let first = 0;
    for (const x of tensors) {
      const count = x.storage.bytes / 4;
      write(gpu, { ...x, shape: [count] }, flat.subarray(first, first + count));
      first += count;
    }
  }

  /** All tensors in one read-back, and room for two flags behind them. The numbers are the next call's too. */
  async #readAll(gpu: Gpu, tensors: readonly PlacedTensor[]): Promise<Float32Array<ArrayBuffer>> {
    const ranges = tensors.map(({ storage: { place, bytes: size } }) => ({ ...place, size }));
    const values = new Float32Array(await gpu.readAll(ranges));
    if (this.#flat.length !== values.length + 2) this.#flat = new Float32Array(values.length + 2);
    this.#flat.set(values);
    return this.#flat;
  }

  /** Completes rows of the whole batch. */
  async join(gpu: Gpu, rows: PlacedTensor, division: Division): Promise<void> {
    if (this.ranks === 1) return;
    const columns = rows.shape.at(-1)!, views = rows.shape[0]! / division.batch, size = division.images * columns;
    const all = await read(gpu, rows);
    // where the rows of a rank are, a part and a view after the other
    const rangesOf = (rank: number) =>
      Array.from({ length: division.accumulate }, (_, k) => division.part(k, rank).first).flatMap((first) =>
        Array.from({ length: views }, (_, view) => (view * division.batch + first) * columns)
      );
    const mine = new Float32Array(rangesOf(this.rank).length * size);
    rangesOf(this.rank).forEach((at, i) => mine.set(all.subarray(at, at + size), i * size));
    const gathered = await this.#world.gather(mine);
    for (let rank = 0; rank < this.ranks; rank++) {
      rangesOf(rank).forEach((at, i) => {
        const first = rank * mine.length + i * size;
        all.set(gathered.subarray(first, first + size), at);
      });
    }
    write(gpu, rows, all);
  }

  async gather(mine: Float32Array<ArrayBuffer>): Promise<Float32Array> {
    return await this.#world.gather(mine);
  }

  async firstOf(text: string | undefined): Promise<string | undefined> {
    const texts = await this.texts(text ?? "");
    const rank = texts.findIndex((said) => said !== "");
    return rank < 0 ? undefined : `${texts[rank]} (rank ${rank})`;
  }

  async same(what: string, hash: () => Promise<string>): Promise<void> {
    const texts = await this.texts(await sha256(new TextEncoder().encode(await hash())));
    const other = texts.findIndex((text) => text !== texts[0]);
    if (other < 0) return;
    throw new RanksDiffer(
      `${what} of rank ${other} are not those of rank 0: the ranks have come apart. Start them with the same files, options and version, ` +
        "and go on from the last checkpoint; if it happens again, look for a rank whose machine computes wrong numbers (deno task doctor)",
    );
  }

  /** A short text of each rank. */
  async texts(mine: string): Promise<string[]> {
    const bytes = new Uint8Array(MOST_TEXT);
    new TextEncoder().encodeInto(mine, bytes);
    // as whole numbers below 256, which floats hold exactly
    const all = await this.#world.gather(Float32Array.from(bytes));
    return Array.from({ length: this.ranks }, (_, rank) => {
      const text = Uint8Array.from(all.subarray(rank * MOST_TEXT, (rank + 1) * MOST_TEXT));
      return new TextDecoder().decode(text).replaceAll("\0", "");
    });
  }

  stopAsked(): boolean {
    return this.ranks === 1 ? this.#signal?.aborted ?? false : this.#stop;
  }

  within(signal: AbortSignal | undefined): AbortSignal | undefined {
    return this.ranks === 1 ? signal : undefined;
  }

  collects(ready: boolean): boolean {
    if (this.ranks === 1) return ready;
    if (!this.#collect) return false;
    this.#collect = false;
    this.#steps = 0;
    this.#collectedAt = performance.now();
    return true;
  }

  async barrier(): Promise<void> {
    await this.#world.barrier();
  }

  /** A text of rank 0, of any length, for all ranks. */
  async broadcastText(text: string): Promise<string> {
    return new TextDecoder().decode(await this.#broadcast(new TextEncoder().encode(text)));
  }

  /** Gives all ranks what rank 0 has in tensors. */
  async broadcast(gpu: Gpu, tensors: Iterable<PlacedTensor>): Promise<void> {
    for (const x of tensors) {
      const values = await read(gpu, x) as Float32Array<ArrayBuffer>;
      await this.#world.broadcast(new Uint8Array(values.buffer));
      if (this.rank > 0) write(gpu, x, values);
    }
  }

  async #broadcast(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const length = Uint8Array.from(new Uint8Array(Uint32Array.of(bytes.length).buffer));
    await this.#world.broadcast(length);
    const all = this.rank === 0 ? bytes : new Uint8Array(new Uint32Array(length.buffer)[0]!);
    await this.#world.broadcast(all);
    return all;
  }

  /**
   * Has rank 0 do something before the others, which wait for it: each gets its own result.
   *
   * @param alive milliseconds after which rank 0 tells that it still works
   */
  async inTurn<Result>(work: () => Promise<Result>, alive = 10_000): Promise<Result> {
    if (this.ranks === 1) return await work();
    const state = new Uint8Array(1);
    if (this.rank > 0) {
      do await this.#world.broadcast(state); while (state[0] === 0);
      return await work();
    }
    const done = work();
    const settled = done.then(() => true, () => true);
    for (;;) {
      const { promise: late, resolve } = Promise.withResolvers<false>();
      const timer = setTimeout(() => resolve(false), alive);
      const ended = await Promise.race([settled, late]);
      clearTimeout(timer);
      // an error ends all ranks by itself
      const result = ended ? await done : undefined;
      state[0] = ended ? 1 : 0;
      await this.#world.broadcast(state);
      if (ended) return result as Result;
    }
  }
}
