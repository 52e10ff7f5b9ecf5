/**
 * @file safetensors: a JSON header with dtype, shape and byte range of each tensor, then the bytes.
 *
 * Format: https://huggingface.co/docs/safetensors. The reader trusts nothing in the header: every range must lie in the
 * file, agree with its dtype and shape, and the ranges must cover the data without gap or overlap.
 */

import { shorten } from "../format.ts";

/** Number types of tensors. Those from F8_E4M3 on are copied, and not computed with. */
export type SafetensorsDType =
  | ("F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U64" | "U32" | "U16" | "U8" | "BOOL")
  | ("F8_E4M3" | "F8_E5M2" | "C64");

/** A tensor in a file. */
export interface StoredTensor {
  /** Type of the elements. */
  readonly dtype: SafetensorsDType;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** Tensors and text metadata of a file. */
export interface Safetensors {
  /** Tensors by name. */
  readonly tensors: Map<string, StoredTensor>;
  /** Text by key. */
  readonly metadata: Record<string, string>;
}

/** A file that is no valid safetensors file. */
export class SafetensorsError extends Error {
  /** Name of the error class. */
  override readonly name = "SafetensorsError";
}

const WIDTH: Readonly<Record<SafetensorsDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  C64: 8,
};
const MOST_HEADER_BYTES = 100_000_000;
const METADATA = "__metadata__";

/** Where a tensor lies in a file. */
export interface TensorLayout {
  /** Type of the elements. */
  readonly dtype: SafetensorsDType;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** First byte in the file. */
  readonly start: number;
  /** First byte after it. */
  readonly stop: number;
}

/** True if a file begins with the length of a header and a header; in JSON or another text, letters stand where the length does. */
export function isSafetensors(start: Uint8Array): boolean {
  const space = " ".charCodeAt(0);
  return start[8] === "{".charCodeAt(0) && start.subarray(0, 8).some((byte) => byte < space && ![9, 10, 13].includes(byte));
}

/**
 * Reads a file's contents.
 *
 * @param file all bytes of the file
 * @returns views into the file, not copies
 * @throws {SafetensorsError} saying what is wrong
 */
export function decodeSafetensors(file: Uint8Array): Safetensors {
  const { layout, metadata } = decodeLayout(file.length, (start, stop) => file.subarray(start, stop));
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, start, stop }] of layout) {
    tensors.set(name, { dtype, shape, bytes: file.subarray(start, stop) });
  }
  return { tensors, metadata };
}

/**
 * Reads a file's header alone.
 *
 * @param size bytes of the file
 * @param read returns the bytes of a range
 * @throws {SafetensorsError} saying what is wrong
 */
export function decodeLayout(
  size: number,
  read: (start: number, stop: number) => Uint8Array,
): { layout: Map<string, TensorLayout>; metadata: Record<string, string> } {
  if (size < 8) throw new SafetensorsError(`The file has ${size} bytes, too few for a header`);
  const first = read(0, 8);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MOST_HEADER_BYTES) || Number(length) > size - 8) {
    throw new SafetensorsError(`The header claims ${length} bytes in a file of ${size}`);
  }
  const end = 8 + Number(length);
  const layout = new Map<string, TensorLayout>();
  let metadata: Record<string, string> = {};
  const ranges: [number, number, string][] = [];
  for (const [name, entry] of Object.entries(parseHeader(read(8, end)))) {
    if (name === METADATA) {
      metadata = checkMetadata(entry);
      continue;
    }
    const { dtype, shape, start, stop } = checkEntry(name, entry, size - end);
    ranges.push([start, stop, name]);
    layout.set(name, { dtype, shape, start: end + start, stop: end + stop });
  }
  checkCoverage(ranges, size - end);
  return { layout, metadata };
}

/**
 * Writes tensors in the order given, each aligned to its element size.
 *
 * @returns all bytes of the file
 */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  // widest elements first keeps every tensor aligned
  const sorted = [...tensors].sort(([, a], [, b]) => WIDTH[b.dtype] - WIDTH[a.dtype]);
  const header = encodeHeader(sorted.map(([name, { dtype, shape }]) => [name, dtype, shape]), metadata);
  const file = new Uint8Array(header.length + sorted.reduce((sum, [, { bytes }]) => sum + bytes.length, 0));
  file.set(header);
  let at = header.length;
  for (const [, { bytes }] of sorted) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/**
 * The start of a file whose tensors follow one another in the order given.
 *
 * @param least bytes to fill with spaces at least, for a header that is written after the data
 * @throws {RangeError} if the header takes more than `least` bytes and `least` is given
 */
export function encodeHeader(
  tensors: readonly (readonly [name: string, dtype: SafetensorsDType, shape: readonly number[]])[],
  metadata: Readonly<Record<string, string>>,
  least = 0,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header[METADATA] = metadata;
  let offset = 0;
  for (const [name, dtype, shape] of tensors) {
    const bytes = WIDTH[dtype] * shape.reduce((product, n) => product * n, 1);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.max(8 + Math.ceil(text.length / 8) * 8, least);
  if (least > 0 && length > least) throw new RangeError(`The header takes ${length} bytes, and ${least} were set aside`);
  const start = new Uint8Array(length).fill(0x20, 8);
  new DataView(start.buffer).setBigUint64(0, BigInt(length - 8), true);
  start.set(text, 8);
  return start;
}

/** A float tensor for {@linkcode encodeSafetensors}. */
export function storeFloats(shape: readonly number[], values: Float32Array): StoredTensor {
  return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** True for numbers that are copied, and not computed with. */
export function isForeign(dtype: SafetensorsDType): boolean {
  return ["F8_E4M3", "F8_E5M2", "C64"].includes(dtype);
}

/** Bytes of an element. */
export function widthOf(dtype: SafetensorsDType): number {
  return WIDTH[dtype];
}

/**
 * A stored tensor's values as 32-bit floats.
 *
 * @throws {SafetensorsError} if nothing is computed with numbers of its type
 */
export function toFloats(tensor: StoredTensor): Float32Array {
  const { dtype, bytes } = tensor;
  if (dtype === "F32") return new Float32Array(bytes.slice().buffer);
  if (dtype === "BF16") {
    return new Float32Array(Uint32Array.from(new Uint16Array(bytes.slice().buffer), (bits) => bits << 16).buffer);
  }
  return Float32Array.from(toNumbers(tensor));
}

/**
 * A stored tensor's values, rounded only if they are whole numbers beyond 2^53.
 *
 * @throws {SafetensorsError} if nothing is computed with numbers of its type
 */
export function toNumbers(tensor: StoredTensor): Float64Array {
  const { dtype, bytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), width = WIDTH[dtype];
  const map = (get: (at: number) => number | bigint) =>
    Float64Array.from({ length: bytes.length / width }, (_, i) => Number(get(i * width)));
  switch (dtype) {
    case "F64":
      return map((at) => view.getFloat64(at, true));
    case "F32":
    case "BF16":
      return Float64Array.from(toFloats(tensor));
    case "F16":
      return map((at) => view.getFloat16(at, true));
    case "I64":
      return map((at) => view.getBigInt64(at, true));
    case "U64":
      return map((at) => view.getBigUint64(at, true));
    case "I32":
      return map((at) => view.getInt32(at, true));
    case "U32":
      return map((at) => view.getUint32(at, true));
    case "I16":
      return map((at) => view.getInt16(at, true));
    case "U16":
      return map((at) => view.getUint16(at, true));
    case "I8":
      return map((at) => view.getInt8(at));
    case "U8":
    case "BOOL":
      return Float64Array.from(bytes);
    default:
      throw new SafetensorsError(`numbers of type ${dtype} are not read. Convert them to float32 in PyTorch first`);
  }
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new SafetensorsError("The header is not UTF-8 text");
  }
  if (!text.startsWith("{")) throw new SafetensorsError("The header does not begin with '{'");
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw new SafetensorsError("The header is not valid JSON");
  }
  return header as Record<string, unknown>;
}

function checkMetadata(entry: unknown): Record<string, string> {
  const ok = typeof entry === "object" && entry !== null && !Array.isArray(entry) &&
    Object.values(entry).every((value) => typeof value === "string");
  if (!ok) throw new SafetensorsError("The metadata is not a map of strings");
  return entry as Record<string, string>;
}

function checkEntry(
  name: string,
  entry: unknown,
  size: number,
): { dtype: SafetensorsDType; shape: number[]; start: number; stop: number } {
  const fail = (why: string): never => {
    throw new SafetensorsError(`Tensor ${JSON.stringify(shorten(name))}: ${why}`);
  };
  if (typeof entry !== "object" || entry === null) return fail("its entry is not an object");
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(WIDTH, dtype)) {
    return fail(`dtype ${shorten(JSON.stringify(dtype) ?? "missing")} is not supported`);
  }
  const whole = (list: unknown): list is number[] => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!whole(shape)) return fail("its shape is not a list of whole numbers");
  if (!whole(offsets) || offsets.length !== 2) return fail("its data_offsets are not two whole numbers");
  const [start, stop] = offsets as [number, number];
  if (start > stop || stop > size) return fail(`bytes ${start} to ${stop} lie outside the ${size} bytes of data`);
  const elements = shape.reduce((product, n) => product * n, 1);
  const bytes = elements * WIDTH[dtype as SafetensorsDType];
  if (bytes !== stop - start) {
    return fail(`shape (${shorten(shape.join(", "))}) of ${dtype} takes ${bytes} bytes, not ${stop - start}`);
  }
  return { dtype: dtype as SafetensorsDType, shape, start, stop };
}

function checkCoverage(ranges: [number, number, string][], size: number): void {
  ranges.sort(([a, aStop], [b, bStop]) => a - b || aStop - bStop);
  let at = 0;
  for (const [start, stop, name] of ranges) {
    if (start !== at) {
      throw new SafetensorsError(`Tensor ${JSON.stringify(shorten(name))} begins at byte ${start}, not at ${at}`);
    }
    at = stop;
  }
  if (at !== size) throw new SafetensorsError(`The tensors cover ${at} of ${size} bytes`);
}
