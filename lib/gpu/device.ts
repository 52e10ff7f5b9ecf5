/**
 * @file The device: one adapter, its limits raised to what it has, and every error it reports.
 *
 * WebGPU reports validation errors, out-of-memory and a lost device as events that nobody hears unless
 * asked. {@linkcode Gpu} listens from the first call on, keeps the first error, and throws it at the next
 * point where the program waits for the adapter, so no wrong number gets past {@linkcode Gpu.check}.
 */

import { formatBytes } from "../format.ts";
import { type AdapterFacts, describeAdapter, openDevice, type Opened } from "./adapter.ts";
import { Choices } from "./choices.ts";
import { type GridLimits, MOST_TURNS } from "./launch_bounds.ts";
import { PipelineCache } from "./pipelines.ts";

/** What to take an adapter for, other than it is (for tests). */
export interface GpuOptions {
  /** False: the variants of kernels that suit GPUs, on whatever adapter. */
  readonly software?: boolean;
  /** Smallest and largest subgroup. */
  readonly subgroup?: readonly [number, number];
  /** Most bytes of a tensor that a kernel can bind. */
  readonly maxBinding?: number;
  /** Most workgroups in a row of a launch. */
  readonly workgroupsInRow?: number;
  /** Most turns that the loops of an invocation may take. */
  readonly mostTurns?: number;
  /** True: no more than what the standard guarantees on every adapter. */
  readonly guaranteed?: boolean;
}

/** The adapter refused a command, ran out of memory or was lost. */
export class GpuError extends Error {
  /** Name of the error class. */
  override readonly name = "GpuError";
}

/** A WebGPU device with its pipelines, its error state and its single point of submission. */
export class Gpu {
  /** The device itself, for what this class has no word for. */
  readonly device: GPUDevice;
  /** What the device runs on. */
  readonly adapter: AdapterFacts;
  /** Limits of the device. */
  readonly limits: GPUSupportedLimits;
  /**
   * Most bytes of a tensor that a kernel can bind.
   *
   * @internal
   */
  readonly maxBinding: number;
  /**
   * Most workgroups along each axis of a launch.
   *
   * @internal
   */
  readonly grid: GridLimits;
  /**
   * Most turns that the loops of an invocation may take together; a GPU takes any number.
   *
   * @internal
   */
  readonly mostTurns: number;
  /**
   * Threads among which the adapter divides a launch beforehand: those of a software adapter; 1 on a GPU, which has its own way.
   *
   * @internal
   */
  readonly threads: number;
  /**
   * Compiled kernels.
   *
   * @internal
   */
  readonly pipelines: PipelineCache;
  /**
   * Which variants of kernels are used.
   *
   * @internal
   */
  readonly choices: Choices = new Choices();
  /**
   * A stand-in for an input that a kernel binds and a dispatch does not use: 16 bytes of zeros, as old as the device.
   *
   * @internal
   */
  readonly unused: GPUBuffer;
  /**
   * Takes the texel that is asked for, and nothing of those beside it.
   *
   * @internal
   */
  readonly nearest: GPUSampler;
  #error: GpuError | undefined;
  #memory = { buffers: 0, bytes: 0, peak: 0 };

  private constructor(opened: Opened, options: GpuOptions) {
    const { maxBinding = Infinity, workgroupsInRow = Infinity } = options;
    const { device } = opened;
    this.device = device;
    this.limits = device.limits;
    this.maxBinding = Math.min(maxBinding, device.limits.maxStorageBufferBindingSize);
    const { maxComputeWorkgroupsPerDimension: most } = device.limits;
    this.grid = { x: Math.min(workgroupsInRow, most), y: most };
    const found = describeAdapter(opened);
    this.mostTurns = options.mostTurns ?? (found.software ? MOST_TURNS : Infinity);
    this.adapter = { ...found, software: options.software ?? found.software, subgroup: options.subgroup ?? found.subgroup };
    this.threads = this.adapter.software ? navigator.hardwareConcurrency : 1;
    this.pipelines = new PipelineCache(device, found.implementation, (error, what) => this.fail(error, what));
    this.unused = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE, label: "unused input" });
    this.nearest = device.createSampler();
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.fail((event as GPUUncapturedErrorEvent).error);
    });
    device.lost.then(({ reason, message }) => {
      if (reason !== "destroyed") this.#error ??= new GpuError(`The adapter was lost: ${message}. Run the same command again`);
    });
  }

  /**
   * Opens the adapter.
   *
   * @param options what to take it for
   * @throws {NoAdapterError} if there is none
   * @example
   * ```ts ignore
   * import { Gpu } from "./mod.ts";
   *
   * using gpu = await Gpu.open();
   * console.log(gpu.adapter.name);
   * ```
   */
  static async open(options: GpuOptions = {}): Promise<Gpu> {
    return new Gpu(await openDevice(options.guaranteed), options);
  }

  /**
   * Throws the first error that the adapter has reported since the device was opened.
   *
   * @throws {GpuError} with the label of the kernel or buffer at fault, as far as the adapter names it
   */
  check(): void {
    if (this.#error) throw this.#error;
  }

  /**
   * Takes note of an error of the adapter, to be thrown at the next point where the program waits.
   *
   * @param what was being done: a command by default
   */
  fail(error: GPUError, what = "a command"): void {
    this.#error ??= new GpuError(explain(error, what, this.#memory));
  }

  /**
   * Waits until all submitted work is done, then checks for errors. This blocks the thread.
   *
   * @throws {GpuError} as {@linkcode Gpu.check}
   */
  async finish(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
    await Promise.resolve();
    this.check();
  }

  /**
   * Copies a part of a buffer to the host. This blocks the thread until the adapter is idle.
   *
   * @param buffer a buffer with usage COPY_SRC
   * @param offset first byte, a multiple of 4
   * @param size bytes, a multiple of 4
   * @throws {GpuError} as {@linkcode Gpu.check}
   */
  async read(buffer: GPUBuffer, offset = 0, size: number = buffer.size - offset): Promise<ArrayBuffer> {
    return await this.readAll([{ buffer, offset, size }]);
  }

  /**
   * Copies parts of buffers to the host, one after the other, while the thread is blocked once.
   *
   * @param ranges buffers with usage COPY_SRC; offsets and sizes are multiples of 4 bytes
   * @throws {GpuError} as {@linkcode Gpu.check}
   */
  async readAll(
    ranges: readonly { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number }[],
  ): Promise<ArrayBuffer> {
    const size = ranges.reduce((sum, range) => sum + range.size, 0);
    const staging = this.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, label: "read" });
    try {
      const encoder = this.device.createCommandEncoder();
      let at = 0;
      for (const { buffer, offset, size } of ranges) {
        encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
        at += size;
      }
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ).catch((error) => {
        this.check();
        throw new GpuError(`Cannot read from the adapter: ${error.message}`);
      });
      const bytes = staging.getMappedRange().slice(0);
      this.check();
      return bytes;
    } finally {
      staging.destroy();
    }
  }

  /**
   * Makes a storage buffer filled with zeros, its size rounded up to 16 bytes.
   *
   * @param size bytes
   * @param label name in error messages
   */
  buffer(size: number, label: string): GPUBuffer {
    const { maxBufferSize } = this.limits;
    if (size > maxBufferSize) {
      throw new GpuError(
        `Cannot allocate "${label}": it takes ${formatBytes(size)} and the adapter allows ${formatBytes(maxBufferSize)} ` +
          `in one buffer. Use a smaller data.batch_size`,
      );
    }
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    return this.createBuffer({ size: Math.max(16, Math.ceil(size / 16) * 16), usage: STORAGE | COPY_SRC | COPY_DST, label });
  }

  /** Buffers and textures that have been made and not yet destroyed, and the most bytes so far: JavaScript's own accounts do not show them. */
  get memory(): { readonly buffers: number; readonly bytes: number; readonly peak: number } {
    return this.#memory;
  }

  /** Starts to look for the most bytes anew. */
  forgetPeak(): void {
    this.#count(0, 0, this.#memory.bytes);
  }

  #count(buffers: number, bytes: number, peak: number = this.#memory.peak): void {
    const now = this.#memory.bytes + bytes;
    this.#memory = { buffers: this.#memory.buffers + buffers, bytes: now, peak: Math.max(peak, now) };
  }

  /** Makes a buffer of any kind; every buffer that programs use is made here, so that {@linkcode memory} is complete. */
  createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    return this.#counted(this.device.createBuffer(descriptor), descriptor.size);
  }

  /** Makes a texture of four floats a texel, for tensors to be copied to and kernels to read. */
  createTexture(width: number, height: number, label: string): GPUTexture {
    const { TEXTURE_BINDING, COPY_DST } = GPUTextureUsage;
    const usage = TEXTURE_BINDING | COPY_DST;
    return this.#counted(
      this.device.createTexture({ size: [width, height], format: "rgba32float", usage, label }),
      16 * width * height,
    );
  }

  #counted<T extends GPUBuffer | GPUTexture>(made: T, size: number): T {
    this.#count(1, size);
    const destroy = made.destroy.bind(made);
    let destroyed = false;
    made.destroy = () => {
      if (!destroyed) this.#count(-1, -size);
      destroyed = true;
      destroy();
    };
    return made;
  }

  /** Gives the device and everything on it back. */
  [Symbol.dispose](): void {
    this.device.destroy();
  }
}

/** What the adapter said, what was being done, and what to do about it. */
function explain(error: GPUError, what: string, { buffers, bytes }: Gpu["memory"]): string {
  if (error instanceof GPUOutOfMemoryError) {
    return `The adapter is out of memory: the program asks it for ${formatBytes(bytes)} in ${buffers} buffers. ` +
      "Use a smaller data.batch_size or training.recompute: blocks";
  }
  const text = error.message.replaceAll(/\s+/g, " ").trim() || error.constructor.name;
  return `The adapter refused ${what}: ${
    text.length > 400 ? `${text.slice(0, 400)}...` : text
  }. This is a fault of the program or of ` +
    "the adapter's driver, not of your data or settings: update the driver, or use another adapter (deno task doctor shows it)";
}
