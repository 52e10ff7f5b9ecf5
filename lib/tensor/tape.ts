/**
 * @file The tape: records a computation once, forward and (in reverse order) backward.
 *
 * An operation is a function `op(tape, inputs...)` that records its dispatches and, if a gradient is
 * wanted, a closure that records the dispatches of its gradient. {@linkcode Tape.backward} runs the
 * closures last to first, and {@linkcode Tape.compile} turns all that was recorded into a plan. Nothing
 * is computed while recording.
 *
 * Gradients are values: a tensor is written by the operation that makes it and never changed. When a
 * tensor is used more than once, its gradients are added into a new tensor.
 */

import type { Gpu } from "../gpu/device.ts";
import type { Dispatch, Storage } from "../gpu/dispatch.ts";
import type { Constants } from "../gpu/wgsl.ts";
import { Plan, type PlanOptions } from "../gpu/plan.ts";
import { applyAll, type Work, type WorkKind } from "./deferred.ts";
import type { Launch, Range } from "./launch.ts";
import type { Parameter } from "./parameters.ts";
import { sumLaunch } from "./sum.ts";
import { bytesOf, createTensor, type DType, type PlacedTensor, type Tensor, type Tokens } from "./tensor.ts";

/** Settings of a recording. */
export interface TapeOptions {
  /** True to use batch statistics and dropout; false to predict. */
  readonly training: boolean;
  /** Whether gradients are recorded: when training by default. Without training, they are those of the predicting model. */
  readonly gradients?: boolean;
  /** Per-step numbers (see step.ts): needed by operations that draw random numbers or update weights. */
  readonly step?: PlacedTensor;
  /** Parts in which a batch is computed, of which the per-step numbers say the one under way; 1, all at once, by default. */
  readonly parts?: number;
}

/** The value of a loss for each row: where a backward pass starts. */
export interface Loss extends Tensor {
  /** Marks a value that a backward pass may start from. */
  readonly isLoss: true;
}

interface Entry {
  readonly output: Tensor;
  readonly gradient: (dy: Tensor) => void;
}

/** A recording of dispatches. */
export class Tape {
  /** Device that the recording is for. */
  readonly gpu: Gpu;
  /** True if batch statistics and dropout are used. */
  readonly training: boolean;
  #records: boolean;
  readonly #step: PlacedTensor | undefined;
  /** Parts in which a batch is computed. */
  readonly parts: number;
  /** Constants of kernels that count images by their place in the batch. */
  readonly placement: Constants;
  readonly #dispatches: Dispatch[] = [];
  readonly #commits: Dispatch[] = [];
  #entries: Entry[] = [];
  readonly #gradients = new Map<Storage, Tensor>();
  readonly #wanted = new Set<Storage>();
  readonly #uses = new Map<Storage, number>();
  readonly #deferred = new Map<Storage, readonly Work[]>();
  readonly #updated = new Set<Parameter>();
  readonly #held = new Set<Parameter>();
  /** Dispatches before each cut. */
  readonly #cuts: number[] = [];
  #joined: PlacedTensor | undefined;
  /** Whether what changes for good has to wait until everything else is done. */
  #defersCommits: boolean;
  readonly #scopes: string[] = [];
  #streams = 0;
  /** True while a part of the forward pass is recorded again: what outlives the step has been changed by the first time. */
  #again = false;

  /** Starts an empty recording. */
  constructor(gpu: Gpu, options: TapeOptions) {
    this.gpu = gpu;
    this.training = options.training;
    this.#records = options.gradients ?? options.training;
    this.#step = options.step;
    this.parts = options.parts ?? 1;
    this.#defersCommits = !this.inParts;
    this.placement = this.inParts ? { PLACED: true } : {};
  }

  /** True if a replay computes a part of a batch. */
  get inParts(): boolean {
    return this.parts > 1;
  }

  /** Rows of the whole batch, which all parts write before what follows the first {@linkcode cut} can be computed. */
  get joined(): PlacedTensor | undefined {
    return this.#joined;
  }

  /**
   * Makes the tensor to which all parts of a batch bring their rows. It outlives the plan.
   *
   * @throws {Error} if there is one already
   */
  join(name: string, shape: readonly number[]): PlacedTensor {
    if (this.#joined) throw new Error(`The parts of a batch are joined at "${this.#joined.storage.label}" already`);
    return this.#joined = createTensor(this.gpu, `whole batch of ${name}`, shape);
  }

  /** Divides the plan here: what was recorded up to now, and what follows, are replayed separately. */
  cut(): void {
    this.#cuts.push(this.#dispatches.length);
  }

  /** Divides the plan here, after what each part of a batch does: what follows is done once, and may change what outlives the step. */
  endParts(): void {
    this.cut();
    this.#defersCommits = true;
  }

  /** Parameters that are to be updated: they have received a gradient, and are not held. In no particular order. */
  get updated(): ReadonlySet<Parameter> {
    return this.#updated.difference(this.#held);
  }

  /** Keeps a parameter as it is, whatever its gradient. */
  hold(parameter: Parameter): void {
    this.#held.add(parameter);
  }

  /** The per-step numbers. */
  get step(): PlacedTensor {
    if (!this.#step) throw new Error("This tape was made without per-step numbers (TapeOptions.step)");
    return this.#step;
  }

  /** A stand-in for an input that a kernel binds and a dispatch does not use. */
  get unused(): PlacedTensor {
    return {
      shape: [4],
      dtype: "f32",
      storage: { label: "unused input", bytes: 16, place: { buffer: this.gpu.unused, offset: 0 } },
    };
  }

  /** A number that differs for each use of randomness in this recording, the same in every recording. */
  nextStream(): number {
    return this.#streams++;
  }

  /** Runs a function whose tensors are named under a layer. */
  scope<T>(name: string, body: () => T): T {
    this.#scopes.push(name);
    try {
      return body();
    } finally {
      this.#scopes.pop();
    }
  }

  /** A tensor that lives inside the plan. It holds nothing until a dispatch writes it. */
  tensor(name: string, shape: readonly number[], dtype: DType = "f32", tokens?: Tokens): Tensor {
    const label = [...this.#scopes, name].join(".");
    const storage = { label, bytes: bytesOf(shape), integers: dtype === "u32", ofTokens: tokens !== undefined };
    return { shape, dtype, storage, ...(tokens && { tokens }) };
  }

  /** A tensor of the same kind as another, of the same active tokens if it is of such. */
  like(x: Tensor, name: string, shape: readonly number[] = x.shape): Tensor {
    return this.tensor(name, shape, x.dtype, x.tokens);
  }

  /**
   * Records one kernel launch.
   *
   * A launch that changes what outlives the step (weights, moments, running statistics) is a commit: commits come after
   * everything else, in their order, so a step can be given up before them without a trace.
   */
  dispatch(launch: Launch): void {
    const { kernel, entry, label = this.#scopes.join("."), constants = {}, bindings = {}, units = 1, cut = {}, extent, commit } =
      launch;
    if (commit && this.#again) return;
    const tokens = launch.tokens === undefined ? tokensOf(Object.values({ ...cut, ...bindings })) : launch.tokens;
    const atOnce = this.atOnce(units, Object.values(cut), tokens ?? undefined);
    for (let first = 0, index = 0; first < units; first += atOnce, index++) {
      const range = { first, count: Math.min(atOnce, units - first), index };
      const bound = Object.fromEntries([
        ...Object.entries(cut).map(([name, { storage }]) => [name, rangeOf(storage, range, units)] as const),
        ...Object.entries(bindings).map(([name, { storage }]) => [name, storage] as const),
      ]);
      const dispatch = { kernel, entry, label, constants, bindings: bound, ...extent(range) };
      (commit && this.#defersCommits ? this.#commits : this.#dispatches).push(
        tokens ? this.#onTokens(dispatch, tokens, tokens.tables[index]!) : dispatch,
      );
    }
  }

  /** Tells a dispatch how many active tokens there are, and whose. */
  #onTokens(dispatch: Dispatch, { places }: Tokens, table: Tensor): Dispatch {
    const { kernel, label } = dispatch;
    if (!kernel.libraries.has("lib/tokens.wgsl")) {
      throw new Error(`Cannot launch kernel ${kernel.name} for "${label}": it knows nothing of active tokens (lib/tokens.wgsl)`);
    }
    const constants = { ...dispatch.constants, ACTIVE: true, PLACES: places, ...(this.gpu.threads > 1 && { EVENLY: true }) };
    return { ...dispatch, constants, bindings: { ...dispatch.bindings, tokens: table.storage } };
  }

  /**
   * How many units of tensors can be bound at once.
   *
   * @param units that each of the tensors consists of: several for an image, if they are of active tokens
   * @param tokens active tokens whose ranges are to be kept, if not those of a tensor
   * @returns all of them if the tensors can be bound whole, or no range of them can
   */
  atOnce(units: number, tensors: readonly Tensor[], tokens: Tokens | undefined = tokensOf(tensors)): number {
    if (tokens && units > 1) return units / tokens.images * tokens.atOnce;
    const { maxBinding: most, limits: { minStorageBufferOffsetAlignment: alignment } } = this.gpu;
    if (tensors.every(({ storage }) => storage.bytes <= most)) return units;
    const sizes = tensors.map(({ storage }) => storage.bytes / units);
    // a range may begin where all of them are aligned
    const step = Math.max(...sizes.map((bytes) => alignment / greatestCommonDivisor(alignment, bytes)));
    const count = Math.floor(most / Math.max(...sizes) / step) * step;
    return count > 0 && sizes.every(Number.isInteger) ? Math.min(units, count) : units;
  }

  /** True if the gradient of x will be asked for. */
  wants(x: Tensor): boolean {
    return this.#records && this.#wanted.has(x.storage);
  }

  /** Asks for the gradient of an input (parameters and what follows from them are asked for already). */
  watch(x: Tensor): void {
    this.#wanted.add(x.storage);
  }

  /**
   * Registers how the gradient of an output reaches the inputs.
   *
   * @param output what the operation made
   * @param inputs what it was made from; the closure is kept only if one of them wants a gradient
   * @param gradient records the dispatches that turn the gradient of the output into those of the inputs
   */
  derive(output: Tensor, inputs: readonly (Tensor | undefined)[], gradient: (dy: Tensor) => void): void {
    if (!this.#records || !inputs.some((x) => x && (isParameter(x) || this.#wanted.has(x.storage)))) return;
    for (const x of inputs) if (x) this.#uses.set(x.storage, (this.#uses.get(x.storage) ?? 0) + 1);
    this.#wanted.add(output.storage);
    this.#entries.push({ output, gradient });
  }

  /**
   * Records a part of the forward pass whose inner tensors are not kept for the backward pass, but computed again there, with
   * the same random numbers and to the same bits: memory for time (Chen et al., arXiv:1604.06174).
   *
   * @param x the only tensor without a parameter's name that the part depends on
   * @param body records the part, and gives its output
   */
  recompute(x: Tensor, body: (x: Tensor) => Tensor): Tensor {
    if (!this.#records) return body(x);
    const stream = this.#streams;
    this.#records = false;
    const y = body(x);
    this.#records = true;
    this.derive(y, [x], (dy) => {
      const [entries, streams] = [this.#entries, this.#streams];
      this.#entries = [];
      this.#streams = stream;
      this.#again = true;
      const again = body(x);
      this.#again = false;
      this.#streams = streams;
      this.#gradients.set(again.storage, dy);
      this.#runBack(this.#entries);
      this.#entries = entries;
    });
    return y;
  }

  /**
   * Leaves elementwise work on the gradient of an output to the operation that computes that gradient, which may do it in the same
   * pass. What nobody takes is done before the gradient reaches the closure of {@linkcode derive}.
   */
  defer(output: Tensor, work: readonly Work[]): void {
    if (this.#records && work.length > 0) this.#deferred.set(output.storage, work);
  }

  /**
   * The work that was deferred on an input, to be done by the caller; none if the gradient is a sum over several uses, or if there is
   * work of other kinds than the caller can do.
   */
  take(input: Tensor, kinds: readonly WorkKind<unknown>[]): readonly Work[] {
    const work = this.#deferred.get(input.storage) ?? [];
    if (this.#uses.get(input.storage) !== 1 || !work.every(({ kind }) => kinds.some((known) => known === kind))) return [];
    this.#deferred.delete(input.storage);
    return work;
  }

  /** True if the adapter lets a launch bind so many tensors, and the table of active tokens where that is what they are of. */
  mayBind(count: number, { tokens }: Tensor): boolean {
    return count + (tokens ? 1 : 0) <= this.gpu.limits.maxStorageBuffersPerShaderStage;
  }

  /** The gradient of a tensor, as far as it has been collected. */
  gradient(x: Tensor): Tensor | undefined {
    return this.#gradients.get(x.storage);
  }

  /** Sets the gradient of a tensor, for an operation that has added what was there before. */
  replaceGradient(x: Tensor, dx: Tensor): void {
    this.#gradients.set(x.storage, dx);
  }

  /** Adds a gradient to what a tensor has received so far. */
  accumulate(x: Tensor, dx: Tensor): void {
    const before = this.#gradients.get(x.storage);
    this.#gradients.set(x.storage, before ? this.#sum(before, dx) : dx);
  }

  /**
   * Where to write the gradient of a parameter: its place in the flat gradient buffer at first, and a
   * tensor to be added to it if the parameter is used again.
   *
   * @param write records the dispatches that write the gradient into the tensor it is given
   */
  accumulateParameter(parameter: Parameter, write: (target: Tensor) => void): void {
    if (!this.#updated.has(parameter)) {
      this.#updated.add(parameter);
      write(parameter.gradient);
      return;
    }
    const more = this.tensor(`gradient of ${parameter.name}`, parameter.shape);
    write(more);
    const before = this.tensor(`first gradient of ${parameter.name}`, parameter.shape);
    this.dispatch(sumLaunch(parameter.gradient, more, before));
    this.dispatch(sumLaunch(before, undefined, parameter.gradient));
  }

  #sum(a: Tensor, b: Tensor): Tensor {
    const sum = this.like(a, a.storage.label);
    this.dispatch(sumLaunch(a, b, sum));
    return sum;
  }

  /**
   * Records the backward pass of a sum of losses; their weights are part of the loss operations, which start
   * the gradients themselves.
   */
  backward(...losses: readonly Loss[]): void {
    for (const loss of losses) this.#gradients.set(loss.storage, loss);
    this.scope("backward", () => this.#runBack(this.#entries));
  }

  #runBack(entries: readonly Entry[]): void {
    for (const { output, gradient } of entries.toReversed()) {
      const dy = this.#gradients.get(output.storage);
      if (dy) gradient(applyAll(this.#deferred.get(output.storage) ?? [], dy));
      this.#gradients.delete(output.storage);
      this.#deferred.delete(output.storage);
    }
  }

  /** Compiles what was recorded. */
  compile(options: PlanOptions = {}): Plan {
    return new Plan(this.gpu, this.#dispatches, { ...options, commits: this.#commits, cuts: this.#cuts });
  }
}

/** The active tokens that some of these tensors are of. */
function tokensOf(tensors: readonly Tensor[]): Tokens | undefined {
  return tensors.find((x) => x.tokens)?.tokens;
}

/** A range of the units that a tensor consists of. */
function rangeOf(storage: Storage, { first, count }: Range, units: number): Storage {
  if (count === units) return storage;
  const bytes = storage.bytes / units, { label, integers = false, ofTokens = false } = storage;
  return { label, integers, ofTokens, bytes: count * bytes, within: { whole: storage, offset: first * bytes } };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function isParameter(x: Tensor): x is Parameter {
  return "gradient" in x;
}
