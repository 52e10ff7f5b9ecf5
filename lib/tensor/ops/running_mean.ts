/**
 * @file A running mean of a model's weights: its predictions are steadier than those of the weights after any one step.
 *
 * Parameters and running statistics are averaged alike, from the first weights on, as timm's ModelEma does. The mean has buffers of its own, and
 * changes places with the weights while something is computed with it: plans need not know of it.
 */

import runningMeanSource from "../../../kernels/running_mean.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameters } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { createTensor, type PlacedTensor } from "../tensor.ts";
import { elementwise } from "./grid.ts";

const KERNEL = kernelOf("running_mean", runningMeanSource);

/** A tensor, and the mean of what it was. */
interface Averaged {
  readonly value: PlacedTensor;
  readonly mean: PlacedTensor;
}

/** The running mean of all parameters and running statistics of a model. */
export class RunningMean {
  readonly #gpu: Gpu;
  readonly #decay: number;
  readonly #parts: readonly Averaged[];
  /** Mean of the parameters, in their flat layout. */
  readonly values: PlacedTensor;
  /** Mean of the running statistics, likewise. */
  readonly statistics: PlacedTensor;

  /**
   * Starts from the weights as they are.
   *
   * @param decay share of the mean that stays in a step, 0 to 1
   */
  constructor(gpu: Gpu, parameters: Parameters, decay: number) {
    this.#gpu = gpu;
    this.#decay = decay;
    const averaged = (value: PlacedTensor): Averaged => {
      return { value, mean: createTensor(gpu, `mean of ${value.storage.label}`, value.shape) };
    };
    this.#parts = [averaged(parameters.values), averaged(parameters.statistics)];
    [this.values, this.statistics] = this.#parts.map(({ mean }) => mean) as [PlacedTensor, PlacedTensor];
    this.#copy((encoder) => this.#parts.forEach(({ value, mean }) => copyTensor(encoder, value, mean)));
  }

  /**
   * Records the update, after the optimiser's.
   *
   * @param report what the optimiser has written of the step
   */
  update(tape: Tape, report: PlacedTensor): void {
    for (const { value, mean } of this.#parts) {
      const launch = elementwise(KERNEL, "update", { value, mean });
      tape.dispatch({
        ...launch,
        constants: { ...launch.constants, RATE: 1 - this.#decay },
        bindings: { report, step: tape.step },
        commit: true,
      });
    }
  }

  /** Puts the mean in the place of the weights, and the weights in that of the mean; a second time undoes it. */
  exchange(): void {
    for (const { value, mean } of this.#parts) {
      const spare = this.#gpu.buffer(value.storage.bytes, "exchange");
      const kept: PlacedTensor = { ...value, storage: { ...value.storage, place: { buffer: spare, offset: 0 } } };
      this.#copy((encoder) => {
        copyTensor(encoder, value, kept);
        copyTensor(encoder, mean, value);
        copyTensor(encoder, kept, mean);
      });
      spare.destroy();
    }
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const { mean } of this.#parts) mean.storage.place.buffer.destroy();
  }

  #copy(record: (encoder: GPUCommandEncoder) => void): void {
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder();
    record(encoder);
    device.queue.submit([encoder.finish()]);
  }
}

function copyTensor(encoder: GPUCommandEncoder, from: PlacedTensor, to: PlacedTensor): void {
  const { place, bytes } = from.storage;
  encoder.copyBufferToBuffer(place.buffer, place.offset, to.storage.place.buffer, to.storage.place.offset, bytes);
}
