/** @file Writes pickles opcode by opcode, right or wrong, and PyTorch's archives around them. */

import { concat } from "../../lib/arrays.ts";
import { type ZipChange, zipOf } from "./zip.ts";

/** A piece of a pickle: text as it is, a byte, bytes, or pieces one after the other. */
export type Part = string | number | Uint8Array | readonly Part[];

const ENCODER = new TextEncoder();

/** A pickle of protocol 2 from its pieces. */
export function pickle(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  return concat([...flat([0x80, 2, parts, "."])]);
}

function* flat(whole: Part): Generator<Uint8Array> {
  // a stack of its own, for pickles that are deeper than that of calls
  const open = [whole];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (typeof part === "string") yield ENCODER.encode(part);
    else if (typeof part === "number") yield Uint8Array.of(part);
    else if (part instanceof Uint8Array) yield part;
    else for (const inner of part.toReversed()) open.push(inner);
  }
}

/** Four bytes, little-endian. */
export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** Text. */
export function text(value: string): Part {
  const bytes = ENCODER.encode(value);
  return ["X", u32(bytes.length), bytes];
}

/** A whole number of 32 bits. */
export function int(value: number): Part {
  return ["J", u32(value)];
}

/** A double. */
export function float(value: number): Part {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return ["G", bytes];
}

/** Bytes, as protocol 3 and later write them. */
export function bytes(value: Uint8Array): Part {
  return ["B", u32(value.length), value];
}

/** A tuple. */
export function tuple(...values: readonly Part[]): Part {
  return ["(", values, "t"];
}

/** A list. */
export function list(...values: readonly Part[]): Part {
  return ["](", values, "e"];
}

/** A dict of keys and values in turn. */
export function dict(...pairs: readonly Part[]): Part {
  return ["}(", pairs, "u"];
}

/** A class or function: its last dot is between module and name. */
export function global(name: string): Part {
  const dot = name.lastIndexOf(".");
  return `c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`;
}

/** A call. */
export function call(name: string, ...values: readonly Part[]): Part {
  return [global(name), tuple(...values), "R"];
}

/** Remembers the value on the stack under a number. */
export function put(key: number): Part {
  return ["r", u32(key)];
}

/** The value of a number. */
export function get(key: number): Part {
  return ["j", u32(key)];
}

/** A storage of PyTorch. */
export function storage(key: string, type = "torch.FloatStorage"): Part {
  return [tuple(text("storage"), global(type), text(key), text("cpu"), int(4)), "Q"];
}

/** A tensor of floats in storage "0". */
export function tensor(shape: readonly number[], stride: readonly number[], offset = 0): Part {
  const sizes = tuple(...shape.map(int)), steps = tuple(...stride.map(int));
  return call("torch._utils._rebuild_tensor_v2", storage("0"), int(offset), sizes, steps, 0x89, "}");
}

/** NumPy's type of a name, with its byte order. */
export function numpyType(name: string, order = "<"): Part {
  return [call("numpy.dtype", text(name), 0x89, 0x88), tuple(int(3), text(order), "N", "N", "N", int(-1), int(-1), int(0)), "b"];
}

/** An archive of a pickle and one storage of four floats, 1 to 4. */
export function checkpoint(program: Uint8Array, change: Partial<ZipChange> = {}): Uint8Array<ArrayBuffer> {
  return zipOf({ "a/data.pkl": program, "a/data/0": new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) }, change);
}
