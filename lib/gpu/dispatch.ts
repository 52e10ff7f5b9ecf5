/**
 * @file A kernel launch as a plan records it, and what is checked of it before anything is computed.
 *
 * An adapter reports a launch that breaks its limits late, and without names; a number that 32 bits do not hold it does not
 * report at all.
 */

import { formatBytes } from "../format.ts";
import { type Gpu, GpuError } from "./device.ts";
import { type Dims, dimsOf } from "./dims.ts";
import { mostWorkgroups } from "./launch_bounds.ts";
import type { Specialisation } from "./kernel.ts";
import type { Access } from "./wgsl.ts";

/** A range of adapter memory. Transient storage gets its buffer when a plan is made. */
export interface Storage {
  /** Name in error messages: the layer or tensor. */
  readonly label: string;
  /** Size in bytes, a multiple of 4. */
  readonly bytes: number;
  /** Where it is, for storage that outlives plans. */
  readonly place?: Place;
  /** What it is a range of, and where in it, in bytes: for storage that is larger than the adapter binds at once. */
  readonly within?: { readonly whole: Storage; readonly offset: number };
  /** True if it holds whole numbers, and no floats. */
  readonly integers?: boolean;
  /** True if only the rows of active tokens are in use: what is bound as "tokens" where it is written says how many. */
  readonly ofTokens?: boolean;
}

/** A range of a buffer. */
export interface Place {
  /** The buffer. */
  readonly buffer: GPUBuffer;
  /** First byte, a multiple of the adapter's offset alignment (256 suits all). */
  readonly offset: number;
}

/** One kernel launch. */
export interface Dispatch extends Specialisation {
  /** Layer or tensor it works for, in messages and profiles. */
  readonly label: string;
  /** Storage for each binding the entry point uses, by the name in the file. */
  readonly bindings: Readonly<Record<string, Storage>>;
  /** Values for the fields of the file's `struct Dims` that the entry point reads. */
  readonly dims?: Dims;
  /** How many workgroups; launch_bounds.ts lays them out. */
  readonly workgroups: number;
  /** Most turns that the loops of an invocation take together, those in which they end included, where they grow with sizes. */
  readonly turns?: number;
}

/** What a dispatch binds for one use, by the names of the bindings. */
export function boundAs(
  access: Access,
  { kernel, bindings }: Pick<Dispatch, "kernel" | "bindings">,
): [name: string, storage: Storage][] {
  return Object.entries(bindings).filter(([name]) => kernel.bindings.get(name)?.access === access);
}

/** A storage, or what it is a range of. */
export function wholeOf(storage: Storage): Storage {
  return storage.within?.whole ?? storage;
}

/** Elements that a kernel numbers. */
const LIMIT = 2 ** 32;
const REMEDY = "Use a smaller data.batch_size";

/**
 * Checks that a launch can be made, and that its kernel can number what it works on.
 *
 * @returns what it has to bind as `dims`, if its kernel reads that
 * @throws {GpuError} if a tensor is empty or too large, the launch has no workgroup or too many, loops are too long, or 32 bits do not
 * hold a number
 */
export function checkDispatch(gpu: Gpu, dispatch: Dispatch): Uint32Array<ArrayBuffer> | undefined {
  const { kernel, entry, label, bindings, workgroups, turns = 0 } = dispatch;
  const name = `${kernel.name}.${entry}`;
  for (const [binding, storage] of Object.entries(bindings)) {
    if (!kernel.bindings.has(binding)) throw new Error(`Cannot bind "${binding}": kernel ${name} does not declare it`);
    checkStorage(gpu, storage, name);
  }
  const sizes = () => Object.entries(bindings).map(([binding, { bytes }]) => `${binding} ${bytes / 4}`).join(", ");
  const what = () => `Cannot launch kernel ${name} for "${label}" (elements: ${sizes()})`;
  const most = mostWorkgroups(gpu.grid);
  if (!(workgroups >= 1 && workgroups <= most)) {
    throw new GpuError(`${what()}: it takes ${workgroups} workgroups, and may take 1 to ${most}. ${REMEDY}`);
  }
  if (turns > gpu.mostTurns) {
    throw new GpuError(
      `${what()}: its loops take ${turns} turns, and the adapter (${gpu.adapter.name}) ends them after ${gpu.mostTurns}. ${REMEDY} ` +
        "or model, or a GPU",
    );
  }
  return dimsOf(dispatch, `Cannot launch kernel ${name} for "${label}"`);
}

function checkStorage({ maxBinding }: Gpu, { label, bytes, within }: Storage, kernel: string): void {
  if (bytes === 0) throw new GpuError(`Cannot bind "${label}" to kernel ${kernel}: it is empty`);
  const elements = (within?.whole.bytes ?? bytes) / 4;
  if (elements > LIMIT) {
    throw new GpuError(`Cannot bind "${label}" to kernel ${kernel}: 32 bits do not number its ${elements} elements. ${REMEDY}`);
  }
  if (bytes > maxBinding) {
    const [size, most] = [bytes, maxBinding].map(formatBytes);
    throw new GpuError(`Cannot bind "${label}" (${size}) to kernel ${kernel}: the adapter binds at most ${most}. ${REMEDY}`);
  }
}
