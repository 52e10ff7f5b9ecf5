/**
 * @file A step of training, from its staged batch to changed weights: at once, or in parts.
 *
 * In parts, the plan of a method has up to three sections. What lies before the first cut brings rows of all parts together (SimCLR's
 * projections: every image is told from all others of the batch); what follows gives gradients, moved running statistics and results of
 * one part; and the last section, once for all of them, clips and updates. Between them stand the mean over this rank's parts, on the
 * adapter, and that over the ranks.
 */

import type { Gpu } from "../gpu/device.ts";
import type { Outcome, Pacer } from "../gpu/pacer.ts";
import type { Replay } from "../gpu/replay.ts";
import type { StagedBatch } from "../input/batches.ts";
import { PartMeans } from "../tensor/ops/part_sums.ts";
import type { StepNumbers } from "../tensor/step.ts";
import type { Exchange } from "./exchange.ts";
import type { Method } from "./method.ts";

/** Computes steps of a method. */
export class StepRunner {
  readonly #gpu: Gpu;
  readonly #method: Method;
  readonly #exchange: Exchange;
  readonly #pacer: Pacer;
  readonly #means: PartMeans | undefined;

  /** Prepares steps; nothing is computed yet. */
  constructor(gpu: Gpu, method: Method, exchange: Exchange, pacer: Pacer) {
    this.#gpu = gpu;
    this.#method = method;
    this.#exchange = exchange;
    this.#pacer = pacer;
    const { accumulate } = method.division;
    if (accumulate > 1) this.#means = new PartMeans(gpu, method.ofPart, accumulate);
  }

  /** Stages batches in their order, each as this rank's parts of it. */
  async *stage(batches: Iterable<Uint32Array>): AsyncGenerator<StagedBatch[]> {
    let parts: StagedBatch[] = [];
    for await (const part of this.#method.stage(batches)) {
      parts.push(part);
      if (parts.length < this.#method.division.accumulate) continue;
      yield parts;
      parts = [];
    }
  }

  /**
   * Computes a step.
   *
   * @param parts the batches of this rank's parts
   * @returns "done" if results may be read
   */
  async run(parts: readonly StagedBatch[], numbers: StepNumbers): Promise<Outcome> {
    const { plan, division } = this.#method;
    if (division.parts > 1) return await this.#runParts(parts, numbers);
    this.#method.prepare(parts[0]!, numbers);
    return await this.#pacer.run(plan);
  }

  async #runParts(parts: readonly StagedBatch[], numbers: StepNumbers): Promise<Outcome> {
    const { plan, division, joined, ofPart } = this.#method;
    const sections = [...plan.sections];
    const update = sections.pop()!, last = sections.pop()!, [before] = sections;
    const outcomes = new Set<Outcome>();
    const compute = async (section: Replay): Promise<boolean> => {
      const outcome = await this.#pacer.run(section);
      outcomes.add(outcome);
      return outcome !== "stopped";
    };
    const prepare = (k: number) => this.#method.prepare(parts[k]!, { ...numbers, row: 0, part: division.part(k) });
    if (joined) {
      for (const k of parts.keys()) {
        prepare(k);
        if (!await compute(before!)) return "stopped";
      }
      await this.#exchange.join(this.#gpu, joined, division);
      this.#exchanged();
    }
    for (const k of parts.keys()) {
      if (parts.length > 1 || !joined) prepare(k);
      // its tensors are those of the part that came last
      if (parts.length > 1 && before && !await compute(before)) return "stopped";
      if (!await compute(last)) return "stopped";
      this.#means?.add(k);
    }
    await this.#exchange.mean(this.#gpu, ofPart);
    this.#exchanged();
    this.#method.prepareUpdate(numbers);
    if (!await compute(update)) return "stopped";
    return this.#exchange.collects(outcomes.has("done")) ? "done" : "pending";
  }

  /** What ranks exchange they read from the adapter, which waits for everything before: a wait of its own would take 10 ms more. */
  #exchanged(): void {
    if (this.#exchange.ranks > 1) this.#pacer.waited();
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#means?.[Symbol.dispose]();
  }
}
