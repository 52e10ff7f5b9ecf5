/**
 * @file A plan: dispatches recorded once, replayed every step.
 *
 * Shapes never change inside a plan, so everything that costs time on the host happens once: tensors that
 * only live inside the plan are placed in as few buffers as their lifetimes allow when it is made, pipelines
 * are compiled and bind groups built when they are first needed. A replay is one encoder, one compute pass (but for
 * copies to textures) and one submit, and allocates nothing. Where a replay takes long, it can be submitted in portions.
 *
 * WebGPU lets no dispatch bind one buffer both for reading and for writing, whatever the ranges. Tensors
 * with overlapping lifetimes therefore get separate buffers ("slots"), and a slot is handed on to the
 * next tensor that fits when its tensor was read for the last time.
 */

import type { Gpu } from "./device.ts";
import { GpuError } from "./device.ts";
import { boundAs, checkDispatch, type Dispatch, type Place, type Storage, wholeOf } from "./dispatch.ts";
import { layOut } from "./launch_bounds.ts";
import { kernelOf } from "./kernel.ts";
import type { Pipeline } from "./pipelines.ts";
import { type Replay, Section } from "./replay.ts";
import { copiesFor, type Sampled, Texels } from "./texels.ts";
import finiteSource from "../../kernels/finite.wgsl" with { type: "text" };

/** How a plan places its tensors. */
export interface PlanOptions {
  /**
   * Gives each tensor its own memory and fills it with NaN before every replay, so that a kernel which
   * leaves part of an output unwritten shows (for tests).
   */
  readonly poison?: boolean;
  /** Dispatches that follow the others and change what outlives a replay. */
  readonly commits?: readonly Dispatch[];
  /** Numbers of dispatches before which the plan is divided into {@linkcode Plan.sections}. */
  readonly cuts?: readonly number[];
}

/** How long one dispatch took. */
export interface Timing {
  /** File and entry point. */
  readonly kernel: string;
  /** Tensor it made. */
  readonly label: string;
  /** Time on the adapter. */
  readonly milliseconds: number;
  /** What was launched. */
  readonly dispatch: Dispatch;
}

/** A dispatch with its compiled kernel and its buffers. */
interface Step {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  readonly group: GPUBindGroup;
  /** What is copied to textures before it. */
  readonly copies: readonly Sampled[];
  readonly grid: readonly [x: number, y: number];
}

const FINITE = kernelOf("finite", finiteSource);
/** Bytes from one of many small things in a buffer to the next: any adapter binds each by itself. Most that `dims` may have. */
const STRIDE = 256;
/** Timestamps in one set; WebGPU allows 4096. */
const QUERIES = 1024;

/** Recorded dispatches with their memory. */
export class Plan implements Replay {
  readonly #gpu: Gpu;
  readonly #dispatches: readonly Dispatch[];
  readonly #steps: (Step | undefined)[] = [];
  readonly #slots: GPUBuffer[] = [];
  readonly #places = new Map<Storage, Place>();
  readonly #texels: Texels;
  readonly #copies: readonly (readonly Sampled[])[];
  readonly #poison: boolean;
  /** First dispatch that changes what outlives a replay: before it, a replay can be given up without a trace. */
  readonly commitsFrom: number;
  /** What each dispatch binds as `dims`. */
  readonly #words: readonly (Uint32Array<ArrayBuffer> | undefined)[];
  /** What lies between the cuts; one that holds everything where there are none. */
  readonly sections: readonly Replay[];
  #dims: GPUBuffer | undefined;

  /**
   * Compiles and places the dispatches.
   *
   * @throws {GpuError} if a launch cannot be made, as {@linkcode checkDispatch} says
   */
  constructor(gpu: Gpu, dispatches: readonly Dispatch[], options: PlanOptions = {}) {
    this.#gpu = gpu;
    const { poison = false, commits = [], cuts = [] } = options;
    this.#poison = poison;
    this.#dispatches = [...dispatches, ...commits];
    this.commitsFrom = dispatches.length;
    this.#words = this.#dispatches.map((dispatch) => checkDispatch(gpu, dispatch));
    for (const dispatch of this.#dispatches) gpu.pipelines.note(dispatch);
    this.#place(this.#dispatches);
    this.#texels = new Texels(gpu, this.#dispatches);
    this.#writeDims();
    const bounds = [0, ...cuts, this.length];
    this.#copies = copiesFor(this.#dispatches, new Set(bounds));
    this.sections = bounds.slice(1).map((last, i) => new Section(this, bounds[i]!, last));
  }

  /** What a replay launches, in order (for diagnostics). */
  get dispatches(): readonly Dispatch[] {
    return this.#dispatches;
  }

  /** Number of dispatches in a replay. */
  get length(): number {
    return this.#dispatches.length;
  }

  /** Bytes of adapter memory that the plan's own tensors take. */
  get bytes(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.size, this.#texels.bytes);
  }

  /** Where a tensor of the plan is (for tests and diagnostics). */
  placeOf(storage: Storage): Place {
    const { within } = storage;
    if (within) {
      const { buffer, offset } = this.placeOf(within.whole);
      return { buffer, offset: offset + within.offset };
    }
    const place = storage.place ?? this.#places.get(storage);
    if (!place) throw new Error(`"${storage.label}" is not part of this plan`);
    return place;
  }

  /** Submits all dispatches once. */
  run(): void {
    this.submit(0, this.length);
  }

  /** Submits the dispatches from the first up to, not including, the last. */
  submit(first: number, last: number): void {
    if (this.#poison && first === 0) this.#fillWithNaN();
    const steps = this.#prepare(first, last);
    const encoder = this.#gpu.device.createCommandEncoder();
    this.#encode(encoder, steps);
    this.#gpu.device.queue.submit([encoder.finish()]);
    for (const { pipeline } of steps) this.#gpu.pipelines.started.add(pipeline);
  }

  /**
   * The end of a portion that will take little time, whatever the driver has to compile for it; a single dispatch may take any time.
   *
   * @param first where it begins
   * @param kernels most kernels in it that were never submitted, if little is bound
   * @param bytes most that its dispatches may bind together, if no kernel is new
   */
  portionFrom(first: number, kernels: number, bytes: number): number {
    const end = first < this.commitsFrom ? this.commitsFrom : this.length;
    const fresh = new Set<Pipeline>();
    let bound = 0;
    for (let i = first; i < end; i++) {
      const [{ dispatch, pipeline }] = this.#prepare(i, i + 1) as [Step];
      if (!this.#gpu.pipelines.started.has(pipeline)) fresh.add(pipeline);
      bound += Object.values(dispatch.bindings).reduce((sum, storage) => sum + storage.bytes, 0);
      if (i > first && fresh.size / kernels + bound / bytes > 1) return i;
    }
    return end;
  }

  /**
   * Replays the plan once more and looks at every tensor right after it was written.
   *
   * @returns the label of the first tensor that holds NaN or Infinity, or undefined if none does
   */
  async firstNonFinite(): Promise<string | undefined> {
    const written = this.#dispatches.flatMap((dispatch, i) =>
      this.#floats(dispatch).map((storage) => ({ i, storage, tokens: storage.ofTokens ? dispatch.bindings["tokens"] : undefined }))
    );
    const flags = this.#gpu.buffer(STRIDE * written.length, "non-finite flags");
    const checks = written.map(({ storage, tokens }, i) =>
      this.#bind({
        kernel: FINITE,
        entry: "check",
        label: storage.label,
        constants: { ACTIVE: tokens !== undefined },
        bindings: {
          x: storage,
          ...(tokens && { tokens }),
          flag: { label: "flag", bytes: 4, place: { buffer: flags, offset: i * STRIDE } },
        },
        workgroups: Math.ceil(storage.bytes / 4 / 64),
      })
    );
    const encoder = this.#gpu.device.createCommandEncoder();
    this.#encode(
      encoder,
      this.#prepare(0, this.length).flatMap((step, i) => [step, ...checks.filter((_, k) => written[k]!.i === i)]),
    );
    this.#gpu.device.queue.submit([encoder.finish()]);
    const found = new Uint32Array(await this.#gpu.read(flags));
    flags.destroy();
    return written.find((_, i) => found[i * STRIDE / 4] === 1)?.storage.label;
  }

  /**
   * Replays the plan once with every dispatch timed by the adapter. Each takes a pass of its own, so the sum is
   * a little longer than a plain replay.
   *
   * @throws {GpuError} if the adapter has no timestamps
   */
  async profile(): Promise<Timing[]> {
    const { device } = this.#gpu;
    if (!device.features.has("timestamp-query")) throw new GpuError("The adapter has no timestamps");
    const timings: Timing[] = [];
    for (let first = 0; first < this.length; first += QUERIES / 2) {
      const steps = this.#prepare(first, Math.min(this.length, first + QUERIES / 2));
      const times = await this.#time(steps);
      steps.forEach(({ dispatch, pipeline }, i) => {
        const nanoseconds = Number(times[2 * i + 1]! - times[2 * i]!);
        timings.push({ kernel: pipeline.label, label: dispatch.label, milliseconds: nanoseconds / 1e6, dispatch });
      });
    }
    return timings;
  }

  /** Start and end of each dispatch in nanoseconds. */
  async #time(steps: readonly Step[]): Promise<BigUint64Array> {
    const { device } = this.#gpu;
    const querySet = device.createQuerySet({ type: "timestamp", count: 2 * steps.length });
    const size = 16 * steps.length;
    const resolved = this.#gpu.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      label: "timestamps",
    });
    const encoder = device.createCommandEncoder();
    steps.forEach((step, i) => {
      // the first pass is there for its time, before what is copied to textures
      encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i } }).end();
      this.#encode(encoder, [step], { querySet, endOfPassWriteIndex: 2 * i + 1 });
    });
    encoder.resolveQuerySet(querySet, 0, 2 * steps.length, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const times = new BigUint64Array(await this.#gpu.read(resolved));
    resolved.destroy();
    querySet.destroy();
    return times;
  }

  /** Frees the plan's memory. */
  [Symbol.dispose](): void {
    for (const slot of this.#slots) slot.destroy();
    this.#dims?.destroy();
    this.#texels[Symbol.dispose]();
  }

  /** Launches, in a pass that ends where tensors have to be copied to textures. */
  #encode(encoder: GPUCommandEncoder, steps: readonly Step[], timestampWrites?: GPUComputePassTimestampWrites): void {
    let pass: GPUComputePassEncoder | undefined;
    for (const { copies, pipeline, group, grid } of steps) {
      if (copies.length > 0) {
        pass?.end();
        pass = undefined;
      }
      for (const [name, storage] of copies) this.#texels.copy(encoder, name, this.placeOf(storage), storage.bytes);
      pass ??= encoder.beginComputePass({ ...(timestampWrites && { timestampWrites }) });
      pass.setPipeline(pipeline.compute);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...grid);
    }
    pass?.end();
  }

  /** Gives every transient tensor a slot for the time between its first and last use. */
  #place(dispatches: readonly Dispatch[]): void {
    const last = new Map<Storage, number>();
    const wholes = (d: Dispatch) => Object.values(d.bindings).map(wholeOf);
    dispatches.forEach((d, i) => wholes(d).forEach((s) => s.place || last.set(s, i)));
    const slots: { bytes: number; freeFrom: number }[] = [];
    const slotOf = new Map<Storage, number>();
    dispatches.forEach((dispatch, i) => {
      for (const storage of wholes(dispatch)) {
        if (storage.place || slotOf.has(storage)) continue;
        const slot = this.#poison ? slots.push({ bytes: 0, freeFrom: 0 }) - 1 : chooseSlot(slots, storage.bytes, i);
        slots[slot]!.bytes = Math.max(slots[slot]!.bytes, storage.bytes);
        slots[slot]!.freeFrom = last.get(storage)! + 1;
        slotOf.set(storage, slot);
      }
    });
    for (const [i, { bytes }] of slots.entries()) {
      const tenants = [...slotOf].filter(([, slot]) => slot === i).map(([storage]) => storage.label);
      this.#slots.push(this.#gpu.buffer(bytes, tenants.slice(0, 3).join(", ")));
    }
    for (const [storage, slot] of slotOf) this.#places.set(storage, { buffer: this.#slots[slot]!, offset: 0 });
  }

  #writeDims(): void {
    if (this.#words.every((dims) => !dims)) return;
    const words = new Uint32Array(this.length * STRIDE / 4);
    this.#words.forEach((dims, i) => dims && words.set(dims, i * STRIDE / 4));
    this.#dims = this.#gpu.createBuffer({
      size: words.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      label: "dims",
    });
    this.#gpu.device.queue.writeBuffer(this.#dims, 0, words);
  }

  /** Compiles and binds what was not needed before. */
  #prepare(first: number, last: number): Step[] {
    return Array.from({ length: last - first }, (_, k) => this.#steps[first + k] ??= this.#make(first + k));
  }

  #make(i: number): Step {
    const dispatch = this.#dispatches[i]!;
    const words = this.#words[i];
    if (!words) return this.#bind(dispatch, this.#copies[i]);
    const bytes = Math.ceil(words.length / 4) * 16;
    const dims = { label: "dims", bytes, place: { buffer: this.#dims!, offset: i * STRIDE } };
    return this.#bind({ ...dispatch, bindings: { ...dispatch.bindings, dims } }, this.#copies[i]);
  }

  #bind(dispatch: Dispatch, copies: readonly Sampled[] = []): Step {
    const { device, pipelines } = this.#gpu;
    const resources = new Map<string, GPUBindingResource>(
      Object.entries(dispatch.bindings).map(([name, storage]) => [name, { ...this.placeOf(storage), size: storage.bytes }]),
    );
    const sampled = boundAs("texels", dispatch);
    for (const [name] of sampled) resources.set(name, this.#texels.view(name));
    if (sampled.length > 0) resources.set("nearest", this.#gpu.nearest);
    const pipeline = pipelines.get(dispatch.kernel, dispatch.entry, [...resources.keys()], dispatch.constants);
    const entries = Array.from(resources, ([name, resource]) => ({ binding: pipeline.bindings.get(name)!.index, resource }));
    const label = `${pipeline.label} of ${dispatch.label}`;
    const group = device.createBindGroup({ label, layout: pipeline.layout, entries });
    const rows = dispatch.constants["EVENLY"] ? this.#gpu.threads : 1;
    return { dispatch, pipeline, group, copies, grid: layOut(dispatch.workgroups, this.#gpu.grid, rows) };
  }

  /** What a dispatch writes, but for whole numbers. */
  #floats(dispatch: Dispatch): Storage[] {
    return boundAs("read_write", dispatch).map(([, storage]) => storage).filter(({ integers }) => !integers);
  }

  #fillWithNaN(): void {
    for (const slot of this.#slots) {
      this.#gpu.device.queue.writeBuffer(slot, 0, new Float32Array(slot.size / 4).fill(NaN));
    }
  }
}

/** The smallest free slot that fits; else the largest free one, to be grown; else a new one. */
function chooseSlot(slots: { bytes: number; freeFrom: number }[], bytes: number, at: number): number {
  const free = slots.map((slot, i) => ({ ...slot, i })).filter((slot) => slot.freeFrom <= at);
  free.sort((a, b) => a.bytes - b.bytes);
  const chosen = free.find((slot) => slot.bytes >= bytes) ?? free.at(-1);
  return chosen?.i ?? slots.push({ bytes: 0, freeFrom: 0 }) - 1;
}
