/**
 * @file Checkpoints that are grown by a grammar: a model among values of every type that pickles know, nested, shared and within
 * themselves, as keys, attributes, arguments and items.
 *
 * Changed bytes hardly ever make a pickle that is right and unusual. These are right as pickles, mostly, and unusual in all else; the
 * model in them must come out as it went in, or the file must be refused.
 */

import type { Random } from "../../lib/random.ts";
import { openZip } from "../../lib/io/zip.ts";
import {
  bytes,
  dict,
  float,
  get,
  global,
  int,
  numpyType,
  type Part,
  pickle,
  put,
  storage,
  text,
  tuple,
  u32,
} from "../support/pickle.ts";
import { zipOf } from "../support/zip.ts";

/** Keys of dicts and names of attributes, with all that mean something. */
const NAMES = [
  ..."a module _orig_mod model state_dict state_dict_ema backbone history args stats config mass_mean mass_std mass norm_scale"
    .split(" "),
  ..."img_size denominator_floor _parameters _modules _metadata __proto__ constructor patch_embed.proj.weight pos_embed".split(" "),
  ..."norm.weight module.norm.weight train_loss optimizer/state x.y/z ü".split(" "),
  "",
  "k".repeat(300),
];
/** Functions and classes, known and unknown. */
const CALLED = [
  "collections.OrderedDict",
  "collections.defaultdict",
  "collections.Counter",
  "collections.deque",
  "builtins.set",
  "builtins.getattr",
  "builtins.bytearray",
  "posix.system",
  "argparse.Namespace",
  "torch.Size",
  "torch.device",
  "torch._utils._rebuild_parameter",
  "torch._utils._rebuild_parameter_with_state",
  "torch._utils._rebuild_sparse_tensor",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_tensor_v3",
  "torch._tensor._rebuild_from_type_v2",
  "torch.storage._load_from_bytes",
  "numpy.dtype",
  "numpy.core.multiarray.scalar",
  "numpy.core.multiarray._reconstruct",
  "numpy._core.numeric._frombuffer",
  "_codecs.encode",
];
const STORAGES = [
  "torch.FloatStorage",
  "torch.DoubleStorage",
  "torch.BoolStorage",
  "torch.UntypedStorage",
  "torch.ComplexFloatStorage",
];
/** NumPy's types, with their bytes. */
const TYPES = { f8: 8, f4: 4, i8: 8, u1: 1, b1: 1, O8: 8, U1: 4 } as const;
/** Values in a file, about. */
const MOST_VALUES = 60;
/** Remembered values have numbers beyond those of the model's own pickle. */
const FIRST_KEY = 1_000_000;

/**
 * A checkpoint that holds a model among other things.
 *
 * @param file checkpoint of the model alone
 */
export function growCheckpoint(file: Uint8Array, random: Random): Uint8Array {
  const archive = openZip(file);
  const entries = Object.fromEntries(archive.names.map((name) => [name, archive.read(name)!]));
  const path = Object.keys(entries).find((name) => name.endsWith("data.pkl"))!;
  // without its protocol and its end
  entries[path] = pickle(new Grammar(random).around(entries[path]!.subarray(2, -1)));
  return zipOf(entries);
}

class Grammar {
  readonly #random: Random;
  #values = 0;
  #keys = FIRST_KEY;
  /** Numbers of values that were remembered before what is grown now. */
  readonly #known: number[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** The model within a few containers, with other values before and after. What comes first in the pickle is grown first. */
  around(model: Part, depth = this.#below(4)): Part {
    const before = this.#pairs(4), key = text(this.#pick(["model", "state_dict", "module", "net", "a.b"]));
    const object = this.#object();
    const inner = depth === 0 ? model : this.around(model, depth - 1);
    const after = this.#pairs(3);
    return this.#pick<Part>([
      dict(before, key, inner, after),
      ["](", before, inner, after, "e"],
      tuple(before, inner),
      [object, dict(before, key, inner), "b"],
      [object, "(", before, key, inner, "u"],
    ]);
  }

  /** Keys and values in turn. */
  #pairs(most: number): Part[] {
    return Array.from({ length: this.#below(most) }, () => [this.#key(), this.#value(3)]);
  }

  #key(): Part {
    return this.#below(4) === 0 ? this.#value(2) : text(this.#pick(NAMES));
  }

  #value(depth: number): Part {
    if (depth === 0 || ++this.#values > MOST_VALUES) return this.#scalar();
    const made = this.#pick<() => Part>([
      () => this.#scalar(),
      () => this.#container(depth - 1),
      () => this.#container(depth - 1),
      () => this.#call(depth - 1),
      () => [this.#object(), this.#value(depth - 1), "b"],
      () => this.#tensor(),
      () => this.#array(),
      () => this.#shared(),
      () => this.#doubled(depth - 1),
    ])();
    return this.#below(3) === 0 ? [made, this.#put(this.#keys++)] : made;
  }

  #scalar(): Part {
    return this.#pick<() => Part>([
      () => this.#pick<Part>(["N", 0x88, 0x89, "I00\n", "I7\n", "L-3L\n", "F2.5\n", "Fnan\n", ")", "]", "}", 0x8f]),
      () => int(this.#pick([0, 1, -1, 3, 2 ** 31 - 1])),
      () => float(this.#pick([0, 142.5, NaN, -Infinity, 1e300, -0])),
      () => [0x8a, this.#pick([[0], [1, 7], [8, new Uint8Array(8).fill(255)], [9, new Uint8Array(9).fill(127)]])],
      () => [0x8b, u32(2000), new Uint8Array(2000).fill(99)],
      () => text(this.#pick(NAMES)),
      () => bytes(new Uint8Array(this.#below(20)).fill(this.#below(256))),
      () => global(this.#pick(CALLED)),
    ])();
  }

  #container(depth: number): Part {
    const key = this.#keys++;
    const values = () => Array.from({ length: this.#below(4) }, () => this.#value(depth));
    const items = () => Array.from({ length: this.#below(4) }, () => [this.#key(), this.#value(depth)]);
    // what it holds within itself
    const self = this.#below(6) === 0 ? [get(key)] : [];
    return this.#pick<() => Part>([
      () => ["}", this.#put(key), "(", items(), self.map((value) => [text("self"), value]), "u"],
      () => ["}", this.#put(key), this.#key(), this.#value(depth), "s"],
      () => ["]", this.#put(key), "(", values(), self, "e"],
      () => ["]", this.#put(key), this.#value(depth), "a"],
      () => ["(", values(), this.#pick(["t", "l"]), this.#put(key)],
      () => ["(", items(), "d", this.#put(key)],
      () => [0x8f, this.#put(key), "(", values(), 0x90],
      () => ["(", values(), 0x91, this.#put(key)],
      () => [this.#value(depth), "2", 0x86, this.#put(key)],
      () => ["(", values(), "1", this.#value(depth), this.#put(key)],
    ])();
  }

  #object(): Part {
    const name = this.#pick(["argparse.Namespace", "my.Class", "torch.nn.modules.linear.Linear", "pathlib.PosixPath"]);
    return this.#pick<Part>([[global(name), ")", 0x81], [global(name), ")R"], ["(", global(name), "o"], [
      global(name),
      ")}",
      0x92,
    ]]);
  }

  #call(depth: number): Part {
    const values = Array.from({ length: this.#below(5) }, () => this.#value(depth));
    const made = [global(this.#pick(CALLED)), tuple(...values), this.#pick<Part>(["R", 0x81])];
    return this.#below(4) === 0 ? [made, this.#value(depth), "b"] : made;
  }

  #tensor(): Part {
    const axes = this.#below(4), sizes = () => tuple(...Array.from({ length: axes }, () => int(this.#below(3))));
    const place = storage(String(this.#below(3)), this.#pick(STORAGES)), offset = int(this.#below(3));
    const more = this.#below(6) === 0 ? [dict(text("neg"), 0x88)] : [];
    const made = [global("torch._utils._rebuild_tensor_v2"), tuple(place, offset, sizes(), sizes(), 0x89, "}", more), "R"];
    return this.#below(3) === 0 ? [global("torch._utils._rebuild_parameter"), tuple(made, 0x88, "}"), "R"] : made;
  }

  #array(): Part {
    const [name, width] = this.#pick(Object.entries(TYPES)), type = numpyType(name, this.#pick(["<", ">", "|"]));
    const rows = this.#below(3), columns = this.#below(3);
    const raw = (count: number) => {
      const value = new Uint8Array(count * width).fill(this.#below(256));
      return this.#below(2) === 0
        ? bytes(value)
        : [global("_codecs.encode"), tuple(text(String.fromCharCode(...value)), text("latin1")), "R"];
    };
    const empty = [
      global("numpy.core.multiarray._reconstruct"),
      tuple(global("numpy.ndarray"), tuple(int(0)), bytes(new Uint8Array(1))),
      "R",
    ];
    return this.#pick<() => Part>([
      () => [global("numpy.core.multiarray.scalar"), tuple(type, raw(1)), "R"],
      () => [empty, tuple(int(1), tuple(int(rows), int(columns)), type, this.#pick([0x88, 0x89]), raw(rows * columns)), "b"],
      () => [global("numpy._core.numeric._frombuffer"), tuple(raw(rows), type, tuple(int(rows)), text("C")), "R"],
    ])();
  }

  #put(key: number): Part {
    this.#known.push(key);
    return put(key);
  }

  /** A value that was remembered. */
  #shared(): Part {
    return this.#known.length === 0 ? this.#scalar() : get(this.#pick(this.#known));
  }

  /** Pairs of the same pair, so deep that no program can look at all of it. */
  #doubled(depth: number): Part {
    return [this.#value(depth), Array.from({ length: this.#below(100) }, (): Part => ["2", 0x86])];
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.#below(choices.length)]!;
  }
}
