/** @file The adapter's copy of the current batch. */

import type { ImageSource, PackedBatch } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import type { PackedTensors } from "../tensor/ops/images.ts";
import { createTensor, type PlacedTensor, write } from "../tensor/tensor.ts";

/** Buffers for packed images, as large as the fullest batch of a data set may be. */
export class BatchBuffers {
  readonly #gpu: Gpu;
  /** The buffers as the kernels read them. */
  readonly tensors: PackedTensors;

  /**
   * Allocates the buffers.
   *
   * @param gpu device
   * @param source the data set
   * @param batch images in a batch
   */
  constructor(gpu: Gpu, source: Pick<ImageSource, "mostPerImage">, batch: number) {
    this.#gpu = gpu;
    const capacity = Math.max(1, batch * source.mostPerImage);
    this.tensors = {
      offsets: createTensor(gpu, "batch offsets", [batch + 1], "u32"),
      index: createTensor(gpu, "batch positions", [capacity], "u32"),
      value: createTensor(gpu, "batch values", [capacity]),
      mostPerImage: Math.max(1, source.mostPerImage),
    };
  }

  /** Copies a batch of the right number of images. */
  upload({ offsets, index, value }: PackedBatch): void {
    write(this.#gpu, this.tensors.offsets, offsets);
    const { queue } = this.#gpu.device;
    if (index.length === 0) return;
    queue.writeBuffer(bufferOf(this.tensors.index), 0, index as Uint32Array<ArrayBuffer>);
    queue.writeBuffer(bufferOf(this.tensors.value), 0, value as Float32Array<ArrayBuffer>);
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const tensor of [this.tensors.offsets, this.tensors.index, this.tensors.value]) bufferOf(tensor).destroy();
  }
}

function bufferOf(tensor: PlacedTensor): GPUBuffer {
  return tensor.storage.place.buffer;
}
