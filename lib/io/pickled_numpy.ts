/**
 * @file Numbers and arrays that NumPy pickled, as they turn up in checkpoints beside the tensors: a mean, a loss, a random state.
 *
 * A dtype is a name, with its byte order as state. A scalar is `scalar(dtype, bytes)`. An array is `_reconstruct(...)` with shape, dtype
 * and bytes as state, or, from protocol 5, `_frombuffer(bytes, dtype, shape, order)`. Protocol 2 writes bytes as text, by
 * `_codecs.encode(text, "latin1")`. Nothing of NumPy is needed to read them, and nothing is called.
 */

import { Opaque, PickleError } from "./pickle_values.ts";
import { type SafetensorsDType, widthOf } from "./safetensors.ts";
import { denseStride, MOST_AXES, TensorView } from "./tensor_view.ts";

const DTYPES: Readonly<Record<string, SafetensorsDType>> = {
  b1: "BOOL",
  u1: "U8",
  i1: "I8",
  u2: "U16",
  i2: "I16",
  f2: "F16",
  u4: "U32",
  i4: "I32",
  f4: "F32",
  u8: "U64",
  i8: "I64",
  f8: "F64",
};

// deno-lint-ignore no-control-regex -- every code of latin1
const LATIN1 = /^[\x00-\xff]*$/;

/** The type of NumPy's numbers. */
export class NumpyType {
  /** What the bytes are; undefined for dates, text, objects and records. */
  readonly dtype: SafetensorsDType | undefined;
  /** True: the bytes of each number run from the highest to the lowest. */
  bigEndian = false;

  /** Names a type as NumPy does, such as "f8". */
  constructor(name: unknown) {
    this.dtype = typeof name === "string" && Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;
  }
}

/** An array, before its state is known and after. */
export class NumpyArray {
  /** Its numbers; undefined for dates, text, objects and records. */
  view: TensorView | undefined;
}

/** What NumPy's own functions make. */
export class NumpyHost {
  /** Texts that stand for bytes; one may be shared by many. */
  readonly #encoded = new Map<string, Uint8Array | undefined>();

  /** The result of a call; undefined if NumPy's pickles have no such call. */
  call(name: string, values: readonly unknown[]): unknown {
    const [first, second, third, fourth] = values;
    switch (name.replace("numpy._core.", "numpy.core.")) {
      case "_codecs.encode":
        return typeof first === "string" && second === "latin1" ? this.#encode(first) : undefined;
      case "numpy.dtype":
        return new NumpyType(first);
      case "numpy.core.multiarray.scalar":
        return scalarOf(viewOf(first, this.#bytes(second), []));
      case "numpy.core.multiarray._reconstruct":
        return new NumpyArray();
      case "numpy.core.numeric._frombuffer":
        return viewOf(second, this.#bytes(first), third, fourth === "F");
    }
    return undefined;
  }

  /** Takes note of the state of a type or an array. */
  build(target: unknown, state: unknown): void {
    const [, first, second, third, bytes] = Array.isArray(state) ? state : [];
    if (target instanceof NumpyType) target.bigEndian = first === ">";
    if (target instanceof NumpyArray) {
      target.view = viewOf(second, this.#bytes(bytes), first, third === true);
    }
  }

  #bytes(value: unknown): unknown {
    return typeof value === "string" ? this.#encode(value) : value;
  }

  /** Bytes whose numbers are the characters' codes; undefined if there are greater ones. */
  #encode(text: string): Uint8Array | undefined {
    if (!this.#encoded.has(text)) {
      const bytes = LATIN1.test(text) ? Uint8Array.from(text, (character) => character.charCodeAt(0)) : undefined;
      this.#encoded.set(text, bytes);
    }
    return this.#encoded.get(text);
  }
}

/** Numbers in bytes; undefined if these are no numbers. */
function viewOf(type: unknown, bytes: unknown, shape: unknown, columnsFirst = false): TensorView | undefined {
  if (!(type instanceof NumpyType) || !(bytes instanceof Uint8Array) || !Array.isArray(shape) || shape.length > MOST_AXES) {
    return undefined;
  }
  const { dtype, bigEndian } = type;
  if (dtype === undefined) return undefined;
  const stride = columnsFirst ? denseStride(shape.toReversed()).reverse() : denseStride(shape);
  const size = shape.reduce((product: number, n) => product * Number(n), 1);
  if (size * widthOf(dtype) !== bytes.length) {
    throw new PickleError("the pickle holds a NumPy array of other bytes than its shape says");
  }
  return new TensorView({ dtype, bytes, bigEndian }, dtype, 0, shape, stride);
}

function scalarOf(view: TensorView | undefined): unknown {
  if (!view) return new Opaque("numpy.generic");
  const [value] = view.numbers();
  return view.dtype === "BOOL" ? value !== 0 : value;
}
