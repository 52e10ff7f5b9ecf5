/**
 * @file Writes a state dict as torch.save does: an archive with a pickle of names and views, and the numbers of each tensor.
 *
 * The pickle is of protocol 2, and names nothing but the classes of a dict and of tensors, so that
 * `torch.load(FILE, weights_only=True)` opens it.
 */

import type { SafetensorsDType, StoredTensor } from "./safetensors.ts";
import { encodeZip } from "./zip_writer.ts";

/** Classes of storages, in the module torch. */
const STORAGES: Partial<Record<SafetensorsDType, string>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};
/** The folder in the archive. */
const FOLDER = "archive";

/**
 * The file.
 *
 * @param tensors by name, each with a storage of its own
 * @throws {RangeError} if PyTorch has no storage for a tensor's numbers, or if the file would have 4 GiB or more
 */
export function encodeTorch(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const storages = [...tensors.values()].map(({ bytes }, i) => [`${FOLDER}/data/${i}`, bytes] as const);
  return encodeZip(
    new Map([
      [`${FOLDER}/data.pkl`, Uint8Array.from(pickle(tensors))],
      [`${FOLDER}/byteorder`, encoder.encode("little")],
      ...storages,
      [`${FOLDER}/version`, encoder.encode("3\n")],
    ]),
  );
}

/** Opcodes, by their names in Python's pickletools. */
const PROTO = 0x80, MARK = 0x28, STOP = 0x2e, GLOBAL = 0x63, REDUCE = 0x52, BINPERSID = 0x51, SETITEMS = 0x75;
const BINUNICODE = 0x58, BININT = 0x4a, TUPLE = 0x74, EMPTY_TUPLE = 0x29, NEWFALSE = 0x89;

/** An OrderedDict of tensors. */
function* pickle(tensors: ReadonlyMap<string, StoredTensor>): Generator<number> {
  yield* [PROTO, 2, ...ORDERED_DICT, MARK];
  let storage = 0;
  for (const [name, tensor] of tensors) yield* [...text(name), ...rebuilt(name, tensor, storage++)];
  yield* [SETITEMS, STOP];
}

/** _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks). */
function rebuilt(name: string, { dtype, shape }: StoredTensor, storage: number): number[] {
  const kind = STORAGES[dtype];
  if (kind === undefined) throw new RangeError(`tensor "${name}" is of type ${dtype}, which PyTorch has no storage for`);
  const stride = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const id = tuple(text("storage"), global("torch", kind), text(String(storage)), text("cpu"), whole(product(shape)));
  const values = [[...id, BINPERSID], whole(0), tuple(...shape.map(whole)), tuple(...stride.map(whole)), [NEWFALSE], ORDERED_DICT];
  return [...global("torch._utils", "_rebuild_tensor_v2"), ...tuple(...values), REDUCE];
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [BINUNICODE, ...fourBytes(bytes.length), ...bytes];
}

/** A number of 32 bits. */
function whole(value: number): number[] {
  return [BININT, ...fourBytes(value)];
}

function tuple(...values: readonly (readonly number[])[]): number[] {
  return [MARK, ...values.flat(), TUPLE];
}

function global(module: string, name: string): number[] {
  return [GLOBAL, ...new TextEncoder().encode(`${module}\n${name}\n`)];
}

const ORDERED_DICT: readonly number[] = [...global("collections", "OrderedDict"), EMPTY_TUPLE, REDUCE];

function fourBytes(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}
