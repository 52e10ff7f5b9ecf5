/**
 * @file PyTorch's zip checkpoints (torch.save since 1.6): a pickle of names and views, and one entry of raw numbers for each storage.
 *
 *     ARCHIVE/data.pkl     dicts, numbers, text, and tensors as (storage, offset, shape, stride)
 *     ARCHIVE/data/KEY     the numbers of a storage, little-endian
 *
 * The pickle is read by a restricted unpickler: nothing in a file is ever executed. Tensors may share storages and be strided
 * (a transpose); they come out dense.
 */

import { shorten } from "../format.ts";
import { Global, PickleError, unpickle } from "./pickle.ts";
import type { SafetensorsDType, StoredTensor } from "./safetensors.ts";
import { isNumpy, numpyCall, NumpyType } from "./numpy.ts";
import { openZip, ZipError } from "./zip.ts";

/** A checkpoint that cannot be read. */
export class TorchError extends Error {
  /** Name of the error class. */
  override readonly name = "TorchError";
}

const STORAGES: Readonly<Record<string, readonly [dtype: SafetensorsDType, width: number]>> = {
  "torch.DoubleStorage": ["F64", 8],
  "torch.FloatStorage": ["F32", 4],
  "torch.HalfStorage": ["F16", 2],
  "torch.BFloat16Storage": ["BF16", 2],
  "torch.LongStorage": ["I64", 8],
  "torch.IntStorage": ["I32", 4],
  "torch.ShortStorage": ["I16", 2],
  "torch.CharStorage": ["I8", 1],
  "torch.ByteStorage": ["U8", 1],
  "torch.BoolStorage": ["BOOL", 1],
};
const TENSOR = "torch._utils._rebuild_tensor_v2", PARAMETER = "torch._utils._rebuild_parameter";
const DICT = "collections.OrderedDict", SIZE = "torch.Size";
const KNOWN = new Set([TENSOR, PARAMETER, DICT, SIZE, ...Object.keys(STORAGES)]);
/** Bytes of all tensors over bytes of the file: views of one storage may be written out several times, within reason. */
const MOST_COPIES = 4;

interface Storage {
  readonly dtype: SafetensorsDType;
  readonly width: number;
  readonly bytes: Uint8Array;
}

class TensorView {
  constructor(readonly storage: Storage, readonly offset: number, readonly shape: number[], readonly stride: number[]) {}
}

/** True if a file begins as a zip archive does. */
export function isTorch(file: Uint8Array): boolean {
  return file[0] === 0x50 && file[1] === 0x4b && file[2] === 3 && file[3] === 4;
}

/** What a checkpoint holds. */
export interface TorchContents {
  /** Tensors, dense, by name; names of nested dicts are joined by "/". */
  readonly tensors: Map<string, StoredTensor>;
  /** Numbers and lists of numbers beside them, by name likewise. */
  readonly numbers: Map<string, number | number[]>;
}

/**
 * Reads a checkpoint.
 *
 * @param file all bytes of the file
 * @throws {TorchError} saying what is wrong, or what the file wants to run
 */
export function decodeTorch(file: Uint8Array): TorchContents {
  try {
    const zip = openZip(file);
    const pickle = zip.names.find((name) => /^[^/]*\/data\.pkl$/.test(name));
    if (!pickle) throw new TorchError("the archive holds no data.pkl");
    const folder = pickle.slice(0, -"data.pkl".length);
    const order = zip.read(`${folder}byteorder`);
    if (order && new TextDecoder().decode(order) !== "little") throw new TorchError("the numbers are big-endian");
    const root = unpickle(zip.read(pickle)!, hostFor((key) => zip.read(`${folder}data/${key}`)));
    return contentsOf(root, file.length);
  } catch (error) {
    if (error instanceof ZipError || error instanceof PickleError) throw new TorchError(error.message);
    throw error;
  }
}

function hostFor(read: (key: string) => Uint8Array | undefined) {
  return {
    global(name: string): Global {
      if (!KNOWN.has(name) && !isNumpy(name)) {
        throw new TorchError(
          `it names ${shorten(name)}, which is neither a tensor nor plain data: it may run code, and is not read`,
        );
      }
      return new Global(name);
    },
    call({ name }: Global, values: readonly unknown[]): unknown {
      if (isNumpy(name)) return numpyCall(name, values);
      if (name === TENSOR) return rebuild(values);
      if (name === PARAMETER && values[0] instanceof TensorView) return values[0];
      if (name === DICT && values.length === 0) return new Map();
      if (name === SIZE && Array.isArray(values[0])) return values[0];
      throw new TorchError(`it calls ${shorten(name)} as PyTorch does not`);
    },
    persistent(id: unknown): Storage {
      const [kind, type, key] = Array.isArray(id) ? id : [];
      const known = type instanceof Global ? STORAGES[type.name] : undefined;
      if (kind !== "storage" || !known || typeof key !== "string") {
        throw new TorchError("it refers to something that is no storage");
      }
      const bytes = read(key);
      if (!bytes) throw new TorchError(`storage "${shorten(String(key))}" is missing`);
      return { dtype: known[0], width: known[1], bytes };
    },
    build(target: unknown, attributes: unknown): void {
      if (!(target instanceof NumpyType)) throw new PickleError("the pickle sets attributes of what is no dict");
      target.build(attributes);
    },
  };
}

function rebuild([storage, offset, shape, stride]: readonly unknown[]): TensorView {
  const whole = (x: unknown): x is number => typeof x === "number" && Number.isSafeInteger(x) && x >= 0;
  const list = (x: unknown): x is number[] => Array.isArray(x) && x.every(whole);
  const isStorage = typeof storage === "object" && storage !== null && "width" in storage;
  if (!isStorage || !whole(offset) || !list(shape) || !list(stride) || shape.length !== stride.length) {
    throw new TorchError("it holds a tensor without storage, shape or stride");
  }
  const { bytes, width } = storage as Storage;
  const elements = Math.floor(bytes.length / width), size = shape.reduce((product, n) => product * n, 1);
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * stride[axis]!, offset);
  if (size > 0 && (size > elements || last >= elements)) {
    throw new TorchError(`a tensor of shape (${shorten(shape.join(", "))}) does not fit its storage of ${elements} numbers`);
  }
  return new TensorView(storage as Storage, offset, shape, stride);
}

/** All tensors and numbers in nested dicts, each dict once. */
function contentsOf(root: unknown, fileBytes: number): TorchContents {
  const tensors: TorchContents["tensors"] = new Map(), numbers: TorchContents["numbers"] = new Map();
  const seen = new Set<unknown>();
  let bytes = 0;
  const open: [prefix: string, value: unknown][] = [["", root]];
  for (let item = open.pop(); item; item = open.pop()) {
    const [path, value] = item;
    if (value instanceof TensorView) {
      const dense = densify(value);
      bytes += dense.bytes.length;
      if (bytes > MOST_COPIES * fileBytes) throw new TorchError("its tensors take many times the bytes of the file");
      tensors.set(path, dense);
    } else if (typeof value === "number" || (Array.isArray(value) && value.every((item) => typeof item === "number"))) {
      numbers.set(path, value);
    } else if (value instanceof Map && !seen.has(value)) {
      seen.add(value);
      for (const [key, inner] of [...value].toReversed()) open.push([path === "" ? String(key) : `${path}/${key}`, inner]);
    }
  }
  return { tensors, numbers };
}

/** The elements of a view, row-major. */
function densify({ storage: { dtype, width, bytes }, offset, shape, stride }: TensorView): StoredTensor {
  const size = shape.reduce((product, n) => product * n, 1);
  const dense = new Uint8Array(size * width);
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let i = 0; i < size; i++) {
    for (let b = 0; b < width; b++) dense[i * width + b] = bytes[from * width + b]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= index[axis]! * stride[axis]!;
      index[axis] = 0;
    }
  }
  return { dtype, shape, bytes: dense };
}
