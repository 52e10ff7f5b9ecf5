/**
 * @file What a launch tells a kernel by name: the fields of its `struct Dims`.
 *
 * One rule says what a kernel learns how. A **constant** changes the code (a type, a switch, the shape of a tile, the length of an array
 * or of an unrolled loop), or is the same in all launches of a model: its sizes, by which a compiler then divides fast, and the settings
 * of a run. What differs from launch to launch is in **Dims**: numbers of images, rows and segments, which of them are bound, streams of
 * random numbers. So a launch for more images, or for some of them, compiles nothing.
 *
 * A kernel declares `struct Dims { ... }` of u32, i32, f32, vectors and structs of these, and `var<uniform> dims: Dims`. A launch gives a
 * value to every field that its entry point reads.
 */

import { GpuError } from "./device.ts";
import type { Kernel, Specialisation } from "./kernel.ts";
import type { Field, Layout, Scalar } from "./layout.ts";
import { select } from "./wgsl.ts";

/** A number; true and false as 1 and 0; the elements of a vector; the fields of a struct. */
export type DimsValue = number | boolean | readonly number[] | Dims;

/** Values by the names of fields; undefined is none. */
export interface Dims {
  /** Value of a field. */
  readonly [field: string]: DimsValue | undefined;
}

/**
 * What a launch has to bind as `dims`.
 *
 * @param name of the launch in messages
 * @returns undefined if the entry point reads no field
 * @throws {Error} as {@linkcode encode}
 */
export function dimsOf(what: Specialisation & { readonly dims?: Dims }, name: string): Uint32Array<ArrayBuffer> | undefined {
  const read = fieldsRead(what);
  const words = encode(what.kernel.dims, what.dims ?? {}, read, `${name}: dims`);
  return read.size > 0 ? words : undefined;
}

/**
 * The contents of a struct.
 *
 * @param layout of the struct
 * @param values of its fields
 * @param needed fields that have to have a value; without one, others are zero
 * @param what names the struct in messages
 * @throws {Error} if a name is unknown, a value is missing, or it is of another kind than the field
 * @throws {GpuError} if 32 bits of the field's type do not hold a number
 */
export function encode(layout: Layout, values: Dims, needed: Iterable<string>, what: string): Uint32Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(layout.bytes));
  write(view, 0, layout, values, needed, what);
  return new Uint32Array(view.buffer);
}

function write(view: DataView, at: number, { fields }: Layout, values: Dims, needed: Iterable<string>, what: string): void {
  for (const name of needed) if (values[name] === undefined) throw new Error(`${what}.${name} is read, and has no value`);
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const field = fields.get(name);
    if (!field) throw new Error(`${what}.${name} is given, and not declared`);
    writeField(view, at + field.offset, field, value, `${what}.${name}`);
  }
}

function writeField(view: DataView, at: number, { type, length }: Field, value: DimsValue, what: string): void {
  const numbers = Array.isArray(value) ? value as readonly number[] : undefined;
  if (typeof type === "object") {
    if (typeof value !== "object" || numbers) throw new Error(`${what} is a struct, and not ${value}`);
    return write(view, at, type, value as Dims, type.fields.keys(), what);
  }
  if (typeof value === "object" ? numbers?.length !== length : length !== 1) {
    throw new Error(`${what} has ${length} elements, and not ${JSON.stringify(value)}`);
  }
  (numbers ?? [value]).forEach((number, i) => writeNumber(view, at + 4 * i, type, Number(number), what));
}

function writeNumber(view: DataView, at: number, type: Scalar, number: number, what: string): void {
  if (type === "f32") view.setFloat32(at, number, true);
  else view.setUint32(at, number, true);
  const held = type === "f32" ? view.getFloat32(at, true) : type === "u32" ? view.getUint32(at, true) : view.getInt32(at, true);
  // a float may be rounded, and not become infinite by it
  if (type === "f32" ? !Number.isFinite(held) : held !== number) {
    throw new GpuError(`${what} is ${number}, which no ${type} holds${type === "f32" ? "" : ". Use a smaller data.batch_size"}`);
  }
}

const known = new WeakMap<Kernel, Map<string, ReadonlySet<string>>>();

/** Names of the fields that an entry point reads, itself or in functions that it calls. */
function fieldsRead({ kernel, entry, constants }: Specialisation): ReadonlySet<string> {
  let ofKernel = known.get(kernel);
  if (!ofKernel) known.set(kernel, ofKernel = new Map());
  const key = JSON.stringify([entry, constants]);
  let fields = ofKernel.get(key);
  if (!fields) {
    const text = kernel.dims.fields.size > 0 ? select(kernel.source, constants, entry) : "";
    ofKernel.set(key, fields = new Set(Array.from(text.matchAll(/\bdims\.(\w+)/g), ([, name]) => name!)));
  }
  return fields;
}
