/**
 * @file PyTorch's zip checkpoints (torch.save since 1.6): a pickle of names and views, and one entry of raw numbers for each storage.
 *
 *     ARCHIVE/data.pkl     dicts, numbers, text, and tensors as (storage, offset, shape, stride)
 *     ARCHIVE/data/KEY     the numbers of a storage, little-endian
 *
 * The pickle is read by a restricted unpickler: nothing in a file is ever executed. What is neither a tensor nor plain data stays a
 * placeholder; its attributes and items are looked through like a dict, but for whole modules, whose layout is theirs alone.
 */

import { shorten } from "../format.ts";
import { NumpyArray, NumpyHost } from "./pickled_numpy.ts";
import { unpickle } from "./pickle.ts";
import { Global, Opaque, PickleError } from "./pickle_values.ts";
import type { SafetensorsDType } from "./safetensors.ts";
import { type TensorStorage, TensorView } from "./tensor_view.ts";
import { openZip, ZipError } from "./zip.ts";

/** A checkpoint that cannot be read. */
export class TorchError extends Error {
  /** Name of the error class. */
  override readonly name = "TorchError";
}

const STORAGES: Readonly<Record<string, SafetensorsDType | undefined>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.ComplexFloatStorage": "C64",
  "torch.storage.UntypedStorage": undefined,
  "torch.UntypedStorage": undefined,
};
const DTYPES: Readonly<Record<string, SafetensorsDType>> = {
  "torch.float64": "F64",
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint64": "U64",
  "torch.uint32": "U32",
  "torch.uint16": "U16",
  "torch.uint8": "U8",
  "torch.bool": "BOOL",
  "torch.complex64": "C64",
  "torch.float8_e4m3fn": "F8_E4M3",
  "torch.float8_e5m2": "F8_E5M2",
};

/** What a checkpoint holds, by path: keys of nested dicts, numbers of lists and names of attributes, joined by "/". */
export interface TorchContents {
  /** Tensors, numbers, texts, lists and placeholders. What several paths lead to is looked through at the shortest. */
  readonly leaves: Map<string, unknown>;
  /** Other paths to dicts and lists, with the shortest. */
  readonly aliases: Map<string, string>;
  /** Classes of the modules that were saved as such, by path. */
  readonly modules: Map<string, string>;
}

/** True if a file begins as a zip archive does. */
export function isTorch(file: Uint8Array): boolean {
  return file[0] === 0x50 && file[1] === 0x4b && file[2] === 3 && file[3] === 4;
}

/**
 * Reads a checkpoint.
 *
 * @param file all bytes of the file
 * @throws {TorchError} saying what is wrong
 */
export function decodeTorch(file: Uint8Array): TorchContents {
  try {
    const zip = openZip(file);
    const pickle = zip.names.find((name) => /^[^/]*\/data\.pkl$/.test(name));
    if (!pickle) throw new TorchError(`it is a zip archive of other files, such as "${shorten(zip.names[0] ?? "none")}"`);
    const folder = pickle.slice(0, -"data.pkl".length);
    if (zip.names.includes(`${folder}constants.pkl`)) {
      throw new TorchError("it is TorchScript. In Python: torch.save(torch.jit.load(FILE).state_dict(), NEW)");
    }
    const order = zip.read(`${folder}byteorder`);
    if (order && new TextDecoder().decode(order) !== "little") throw new TorchError("the numbers are big-endian");
    return contentsOf(unpickle(zip.read(pickle)!, new TorchHost((key) => zip.read(`${folder}data/${key}`))));
  } catch (error) {
    if (error instanceof ZipError || error instanceof PickleError) throw new TorchError(error.message);
    throw error;
  }
}

/** What PyTorch's and NumPy's own functions make of their arguments. */
class TorchHost {
  readonly #numpy = new NumpyHost();
  readonly #read: (key: string) => Uint8Array | undefined;
  readonly #storages = new Map<string, Uint8Array>();

  constructor(read: (key: string) => Uint8Array | undefined) {
    this.#read = read;
  }

  call(name: string, values: readonly unknown[]): unknown {
    const [first, second, third, fourth] = values;
    switch (name.replace("__builtin__.", "builtins.")) {
      case "torch._utils._rebuild_tensor":
      case "torch._utils._rebuild_tensor_v2":
        return rebuild(first, undefined, [second, third, fourth], values[6]);
      case "torch._utils._rebuild_tensor_v3":
        return rebuild(first, values[6], [second, third, fourth], values[7]);
      case "torch._utils._rebuild_parameter":
      case "torch._utils._rebuild_parameter_with_state":
        return first;
      case "torch._tensor._rebuild_from_type":
      case "torch._tensor._rebuild_from_type_v2":
        // a tensor of a subclass, or with attributes: (function, class, arguments, attributes)
        if (!(first instanceof Global) || !first.name.startsWith("torch._utils.") || !Array.isArray(third)) return undefined;
        return this.call(first.name, third);
      case "collections.OrderedDict":
      case "collections.defaultdict":
      case "collections.Counter":
        // a defaultdict names the class of its defaults, a Counter its counts
        return first === undefined || first === null || first instanceof Global
          ? new Map()
          : first instanceof Map
          ? first
          : undefined;
      case "torch.Size":
        return Array.isArray(first) ? first : undefined;
      case "builtins.bytes":
      case "builtins.bytearray":
        // protocols without bytes write empty ones so
        return first === undefined ? new Uint8Array(0) : first instanceof Uint8Array ? first : undefined;
    }
    return this.#numpy.call(name, values);
  }

  persistent(id: unknown): unknown {
    const [kind, type, key] = Array.isArray(id) ? id : [];
    if (kind !== "storage" || !(type instanceof Global) || typeof key !== "string" || key.length > LONGEST_KEY) {
      throw new PickleError("it refers to something that is no storage");
    }
    if (!Object.hasOwn(STORAGES, type.name)) return new Opaque(type.name);
    const bytes = this.#storages.get(key) ?? this.#read(key);
    if (!bytes) throw new PickleError(`storage "${shorten(key)}" is missing`);
    this.#storages.set(key, bytes);
    const storage: TensorStorage = { dtype: STORAGES[type.name], bytes };
    return storage;
  }

  build(target: unknown, state: unknown): void {
    this.#numpy.build(target, state);
  }
}

/**
 * A tensor, or a placeholder if its numbers are not known.
 *
 * @param marks such as "neg": true, whose numbers are those of the storage with the other sign
 */
function rebuild(
  storage: unknown,
  type: unknown,
  [offset, shape, stride]: readonly unknown[],
  marks: unknown,
): TensorView | Opaque {
  if (storage instanceof Opaque) return storage;
  const marked = marks instanceof Map && (marks.get("neg") === true || marks.get("conj") === true);
  if (marked) return new Opaque("torch.Tensor with a negative or conjugate bit");
  const isStorage = typeof storage === "object" && storage !== null && "bytes" in storage;
  if (!isStorage) throw new PickleError("it holds a tensor without a storage");
  const dtype = type instanceof Global ? DTYPES[type.name] : (storage as TensorStorage).dtype;
  return dtype ? new TensorView(storage as TensorStorage, dtype, offset, shape, stride) : new Opaque("torch.UntypedStorage");
}

/** Longer keys, deeper dicts and longer lists do not lead to a model. */
const LONGEST_KEY = 256, DEEPEST = 16, LONGEST_LIST = 4096;

/** Looks through nested dicts, lists and placeholders, each once, the outer ones first. */
function contentsOf(root: unknown): TorchContents {
  const leaves = new Map<string, unknown>(), aliases = new Map<string, string>(), modules = new Map<string, string>();
  const seen = new Map<unknown, string>();
  let level: [path: string, value: unknown][] = [["", root]];
  for (let depth = 0; depth <= DEEPEST && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const [path, value] of level) {
      if (!(value instanceof Map)) {
        leaves.set(path, value instanceof NumpyArray ? value.view ?? new Opaque("numpy.ndarray") : value);
      }
      if (!isContainer(value)) continue;
      const first = seen.get(value);
      if (first !== undefined) {
        aliases.set(path, first);
        continue;
      }
      seen.set(value, path);
      const states = value instanceof Opaque ? statesOf(value) : [];
      if (states.some(isModule)) {
        modules.set(path, (value as Opaque).name);
        continue;
      }
      for (const state of states) next.push([path, state]);
      for (const [key, part] of partsOf(value)) if (isName(key)) next.push([path === "" ? `${key}` : `${path}/${key}`, part]);
    }
    level = next;
  }
  return { leaves, aliases, modules };
}

type Container = Map<unknown, unknown> | readonly unknown[] | Opaque;

function isContainer(value: unknown): value is Container {
  return value instanceof Map || Array.isArray(value) || value instanceof Opaque;
}

function partsOf(value: Container): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value;
  if (value instanceof Opaque) return value.items;
  const nested = value.length <= LONGEST_LIST && value.some((part) => isContainer(part) || part instanceof TensorView);
  return nested ? value.entries() : [];
}

/** The attributes of a placeholder: a dict, or a pair of which the second holds those of its slots. */
function statesOf({ state }: Opaque): Map<unknown, unknown>[] {
  return (Array.isArray(state) ? state.slice(0, 2) : [state]).filter((part) => part instanceof Map);
}

/** True for the attributes of PyTorch's modules. */
function isModule(state: Map<unknown, unknown>): boolean {
  return state.has("_parameters") && state.has("_modules");
}

function isName(key: unknown): key is string | number {
  return typeof key === "number" || (typeof key === "string" && key.length <= LONGEST_KEY);
}
