/**
 * @file Parameters: what a model learns, side by side in one flat buffer.
 *
 * Values, gradients and both moments of the optimiser are four buffers of the same layout, so clipping and
 * AdamW are two dispatches whatever the model, and a checkpoint is a few copies. Each parameter starts at a
 * multiple of {@linkcode BLOCK} elements, which any adapter accepts as an offset. Running statistics
 * ("buffers" in PyTorch's words) are kept beside them: they are saved with the model and not trained.
 */

import type { Gpu } from "../gpu/device.ts";
import { type PlacedTensor, sizeOf } from "./tensor.ts";

/** Elements to which a parameter is padded; 256 bytes is the largest offset alignment of WebGPU. */
export const BLOCK = 64;

/** A trained tensor and the place of its gradient. */
export interface Parameter extends PlacedTensor {
  /** Name in the state dict, as in PyTorch. */
  readonly name: string;
  /** Gradient of the last step, of the same shape. */
  readonly gradient: PlacedTensor;
  /** First element in the flat buffers. */
  readonly offset: number;
}

/** Name, shape and first values of a parameter or running statistic. */
export interface Declaration {
  /** Name in the state dict. */
  readonly name: string;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Values at the start; none if all are loaded later. */
  readonly initial: Float32Array;
  /** True for running statistics. */
  readonly running?: boolean;
}

/** Named arrays on the host, in PyTorch's layout. */
export type StateDict = Map<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;

/** All parameters and running statistics of a model. */
export class Parameters {
  readonly #gpu: Gpu;
  readonly #parameters = new Map<string, Parameter>();
  readonly #running = new Map<string, PlacedTensor & { readonly name: string; readonly offset: number }>();
  #moved: PlacedTensor | undefined;
  /** Flat values. */
  readonly values: PlacedTensor;
  /** Flat gradients. */
  readonly gradients: PlacedTensor;
  /** Flat running statistics. */
  readonly statistics: PlacedTensor;

  /** Allocates and fills the flat buffers. */
  constructor(gpu: Gpu, declarations: readonly Declaration[]) {
    this.#gpu = gpu;
    const padded = (running: boolean) =>
      declarations.filter((d) => (d.running ?? false) === running)
        .reduce((sum, { shape }) => sum + Math.ceil(sizeOf(shape) / BLOCK) * BLOCK, 0);
    this.values = flat(gpu, "parameters", padded(false));
    this.gradients = flat(gpu, "gradients", padded(false));
    this.statistics = flat(gpu, "running statistics", padded(true));
    const next = { parameters: 0, running: 0 };
    for (const { name, shape, running } of declarations) {
      const elements = Math.ceil(sizeOf(shape) / BLOCK) * BLOCK;
      if (running) {
        this.#running.set(name, { name, offset: next.running, ...view(this.statistics, name, shape, next.running) });
        next.running += elements;
      } else {
        const gradient = view(this.gradients, `gradient of ${name}`, shape, next.parameters);
        const value = view(this.values, name, shape, next.parameters);
        this.#parameters.set(name, { name, gradient, offset: next.parameters, ...value });
        next.parameters += elements;
      }
    }
    const first = declarations.filter(({ initial }) => initial.length > 0);
    this.load(new Map(first.map(({ name, shape, initial }) => [name, { shape, values: initial }])));
  }

  /** Every parameter, in the order of declaration. */
  get all(): Parameter[] {
    return [...this.#parameters.values()];
  }

  /** Names of parameters and running statistics. */
  get names(): string[] {
    return [...this.#parameters.keys(), ...this.#running.keys()];
  }

  /** Number of trained values. */
  get count(): number {
    return this.all.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** The parameter of this name. */
  get(name: string): Parameter {
    const found = this.#parameters.get(name);
    if (!found) throw new Error(`The model has no parameter "${name}"`);
    return found;
  }

  /**
   * The running statistic of this name.
   *
   * @param moved its place in {@linkcode moved}
   */
  running(name: string, moved = false): PlacedTensor {
    const found = this.#running.get(name);
    if (!found) throw new Error(`The model has no running statistic "${name}"`);
    return moved ? view(this.moved, name, found.shape, found.offset) : found;
  }

  /** Flat running statistics as a part of a batch has moved them, in the layout of the others; they count when all parts are done. */
  get moved(): PlacedTensor {
    return this.#moved ??= flat(this.#gpu, "moved running statistics", this.statistics.shape[0]!);
  }

  /**
   * Copies arrays into parameters and running statistics of the same names; others keep their values.
   *
   * @throws {Error} if a name is unknown or a shape differs
   */
  load(state: StateDict): void {
    for (const [name, { shape, values }] of state) {
      const target = this.#parameters.get(name) ?? this.#running.get(name);
      if (!target) throw new Error(`The model has no tensor "${name}"`);
      if (sizeOf(shape) !== sizeOf(target.shape) || shape.join() !== target.shape.join()) {
        throw new Error(`Tensor "${name}" has shape (${shape.join(", ")}) and the model expects (${target.shape.join(", ")})`);
      }
      const { buffer, offset } = target.storage.place;
      this.#gpu.device.queue.writeBuffer(buffer, offset, values as Float32Array<ArrayBuffer>);
    }
  }

  /** Copies all parameters and running statistics to the host. */
  async state(): Promise<StateDict> {
    const values = new Float32Array(await this.#gpu.read(this.values.storage.place.buffer));
    const statistics = new Float32Array(await this.#gpu.read(this.statistics.storage.place.buffer));
    return new Map([...this.split(values, this.#parameters), ...this.split(statistics, this.#running)]);
  }

  /** Copies the gradients of the last step to the host. */
  async gradientState(): Promise<StateDict> {
    return this.split(new Float32Array(await this.#gpu.read(this.gradients.storage.place.buffer)), this.#parameters);
  }

  /** Cuts an array of the flat layout into named ones. */
  split(
    flat: Float32Array,
    names: ReadonlyMap<string, { readonly shape: readonly number[]; readonly offset: number }> = this.#parameters,
  ): StateDict {
    return new Map([...names].map(([name, { shape, offset }]) => {
      return [name, { shape, values: flat.slice(offset, offset + sizeOf(shape)) }];
    }));
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    const all = [this.values, this.gradients, this.statistics, ...(this.#moved ? [this.#moved] : [])];
    for (const { storage } of all) storage.place.buffer.destroy();
  }
}

function flat(gpu: Gpu, label: string, elements: number): PlacedTensor {
  const bytes = 4 * Math.max(elements, BLOCK);
  return { shape: [bytes / 4], dtype: "f32", storage: { label, bytes, place: { buffer: gpu.buffer(bytes, label), offset: 0 } } };
}

function view(whole: PlacedTensor, label: string, shape: readonly number[], first: number): PlacedTensor {
  const place = { buffer: whole.storage.place.buffer, offset: 4 * first };
  return { shape, dtype: "f32", storage: { label, bytes: 4 * sizeOf(shape), place } };
}
