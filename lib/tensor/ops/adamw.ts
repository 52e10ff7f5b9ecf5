/** @file Global-norm clipping and AdamW, two dispatches for a whole model. */

import adamwSource from "../../../kernels/adamw.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import { BLOCK, type Parameter, type Parameters } from "../parameters.ts";
import { MAX_GROUPS } from "../step.ts";
import type { Tape } from "../tape.ts";
import { createTensor, type PlacedTensor, sizeOf, write } from "../tensor.ts";
import { workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("adamw", adamwSource);
const SEGMENTS = 64;
const FROZEN = 255;
/** Workgroups of the update: enough for a large GPU, few enough for the sum in each to cost nothing. */
const WORKGROUPS = 2048;

/** Settings of the optimiser; learning rates come with each step (`writeStep`). */
export interface AdamWOptions {
  /** Group (0 ... 3) of a parameter; groups have learning rates of their own. */
  readonly groupOf?: (parameter: Parameter) => number;
  /** Factor of a parameter's learning rate in its group; 1 by default. */
  readonly factorOf?: (parameter: Parameter) => number;
  /** Decoupled weight decay, as PyTorch's. */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0 leaves it as it is. */
  readonly clipNorm: number;
  /** Decay rates of the moments; 0.9 and 0.999 by default. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator; 1e-8 by default. */
  readonly eps?: number;
}

/** The moments of AdamW for a model's parameters. */
export class AdamW {
  readonly #gpu: Gpu;
  readonly #parameters: Parameters;
  readonly #options: AdamWOptions;
  readonly #rates: PlacedTensor;
  /** First moments, in the flat layout of the parameters. */
  readonly m: PlacedTensor;
  /** Second moments, likewise. */
  readonly v: PlacedTensor;

  /** Starts with moments of zero. */
  constructor(gpu: Gpu, parameters: Parameters, options: AdamWOptions) {
    this.#gpu = gpu;
    this.#parameters = parameters;
    this.#options = options;
    const [elements] = parameters.values.shape as [number];
    this.#rates = createTensor(gpu, "parameter groups", [elements / BLOCK, 2], "u32");
    this.m = createTensor(gpu, "first moments", [elements]);
    this.v = createTensor(gpu, "second moments", [elements]);
  }

  /**
   * Records the update of every parameter that has received a gradient on the tape.
   *
   * @param report (rows, 2): receives the gradient's norm, and 1 if it was not finite and the step was skipped
   */
  update(tape: Tape, report: PlacedTensor): void {
    const { weightDecay, clipNorm, betas = [0.9, 0.999], eps = 1e-8 } = this.#options;
    this.#assignRates(tape.updated);
    const { values, gradients: gradient } = this.#parameters;
    const rate_of_block = this.#rates;
    const partials = tape.tensor("squared gradient", [SEGMENTS]);
    const constants = { CLIP_NORM: clipNorm, WEIGHT_DECAY: weightDecay, BETA1: betas[0], BETA2: betas[1], EPS: eps };
    const launch = { kernel: KERNEL, label: "optimiser", constants };
    const sums = { gradient, rate_of_block, partials_out: partials, step: tape.step };
    tape.dispatch({ ...launch, entry: "square_sums", bindings: sums, extent: () => ({ workgroups: SEGMENTS }) });
    const quads = sizeOf(values.shape) / 4;
    const { m, v } = this;
    const bindings = { gradient, rate_of_block, partials, value: values, m, v, report, step: tape.step };
    const workgroups = Math.min(workgroupsFor(quads), this.#gpu.adapter.software ? 64 : WORKGROUPS);
    tape.dispatch({ ...launch, entry: "update", bindings, extent: () => ({ workgroups }), commit: true });
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const { storage } of [this.#rates, this.m, this.v]) storage.place.buffer.destroy();
  }

  #assignRates(updated: ReadonlySet<Parameter>): void {
    const { groupOf = () => 0, factorOf = () => 1 } = this.#options;
    const rates = new Uint32Array(sizeOf(this.#rates.shape)).fill(FROZEN);
    const factors = new Float32Array(rates.buffer);
    for (const parameter of updated) {
      const group = groupOf(parameter);
      if (!(group >= 0 && group < MAX_GROUPS)) {
        throw new RangeError(`Parameter "${parameter.name}" is in group ${group}: at most ${MAX_GROUPS} groups`);
      }
      const first = parameter.offset / BLOCK, blocks = Math.ceil(parameter.storage.bytes / 4 / BLOCK);
      for (let block = first; block < first + blocks; block++) {
        rates[2 * block] = group;
        factors[2 * block + 1] = factorOf(parameter);
      }
    }
    write(this.#gpu, this.#rates, rates);
  }
}
