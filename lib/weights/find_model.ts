/**
 * @file Finds a model in a file of weights: among tensors of optimisers, averages and projection heads, under whatever prefix.
 *
 * Two things come before a tensor's own name. Keys of dicts and names of the modules that hold the model, such as
 * "state_dict/backbone.": they are read off the one tensor that every L2ViT begins with. And the wrappers of data parallel training,
 * compilers and checkpointing, such as "module." and "_orig_mod.", which may also stand within a name: they are dropped.
 */

import { shorten } from "../format.ts";
import { Opaque } from "../io/pickle_values.ts";
import { TensorView } from "../io/tensor_view.ts";
import type { WeightFile } from "../io/weight_file.ts";
import { isOwn } from "./weights.ts";

/** A model in a file. */
export interface FoundModel {
  /** Its tensors, under an L2ViT's own names. */
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** What its names begin with in the file, wrappers left out. */
  readonly prefix: string;
  /** The same of models that were not asked for, the first few. */
  readonly others: readonly string[];
}

/** A tensor that every L2ViT has. */
const MARKER = "patch_embed.proj.weight";
/** What PyTorch puts into names: of DataParallel, torch.compile, fully sharded training and checkpointed blocks. */
const WRAPPER = /(?<=^|[./])(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;
/** Models that a message names. */
const MOST_NAMED = 8;

/**
 * Finds the model.
 *
 * @param key which of several: keys of dicts and names of modules before it, or some of them
 * @throws {Error} if there is no model, or more than one and the key does not say which
 */
export function findModel(file: WeightFile, key?: string): FoundModel {
  const all = [...file.leaves].filter(([, leaf]) => leaf instanceof TensorView || leaf instanceof Opaque)
    .map(([path, leaf]) => ({ path, leaf, name: path.replaceAll(WRAPPER, "") }));
  const models = all.filter(({ name }) => name.endsWith(MARKER) && /(^|[./])$/.test(name.slice(0, -MARKER.length)))
    .map(({ path, name }) => ({ place: path.slice(0, path.lastIndexOf("patch_embed.")), prefix: name.slice(0, -MARKER.length) }));
  const chosen = key === undefined ? models : matching(models, file.aliases.get(key) ?? key);
  const [first] = chosen;
  if (!first) throw new Error(whyNone(file, key, models));
  if (chosen.length > 1) {
    throw new Error(`it holds several models: ${listed(chosen)}. Take one out with deno task convert --key`);
  }
  const { place, prefix } = first;
  const tensors = new Map<string, TensorView>();
  for (const { path, leaf, name: whole } of all) {
    const name = whole.slice(prefix.length);
    // a "/" in the rest is a dict within the model's
    if (!whole.startsWith(prefix) || name.includes("/") || (key !== undefined && !path.startsWith(place))) continue;
    if (leaf instanceof TensorView) {
      if (tensors.has(name)) throw new Error(`two of its tensors are "${shorten(name)}": the second is "${shorten(path)}"`);
      tensors.set(name, leaf);
    } else if (isOwn(name) && !name.endsWith("_extra_state")) {
      const kind = shorten((leaf as Opaque).name);
      throw new Error(`tensor "${shorten(name)}" is a ${kind}, no plain tensor. Save dense float32 tensors instead`);
    }
  }
  const others = new Set(models.map((model) => model.prefix).filter((other) => other !== prefix));
  return { tensors, prefix, others: [...others].slice(0, MOST_NAMED) };
}

interface Place {
  /** What the model's names begin with in the file. */
  readonly place: string;
  /** The same without wrappers. */
  readonly prefix: string;
}

/** Models of a key: whose place it is, or begins with it, or has it in it. */
function matching(models: readonly Place[], key: string): readonly Place[] {
  const wanted = dotted(key);
  const tests = [
    (place: string) => place === wanted,
    (place: string) => place.startsWith(wanted),
    (place: string) => place.includes(wanted),
  ];
  for (const test of tests) {
    const found = models.filter(({ place }) => test(dotted(place)));
    if (found.length > 0) return found;
  }
  return [];
}

/** Parts of a name with a dot before and after each. */
function dotted(name: string): string {
  const parts = name.split(/[./]/).filter((part) => part !== "");
  return parts.length === 0 ? "." : `.${parts.join(".")}.`;
}

/** Keys of models, "." for the one whose names have no prefix. */
function listed(places: readonly Place[]): string {
  const names = places.map(({ place }) => shorten(place.replace(/[./]$/, "")) || ".");
  return names.slice(0, MOST_NAMED).join(", ") + (names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : "");
}

function whyNone({ leaves, modules }: WeightFile, key: string | undefined, models: readonly Place[]): string {
  if (models.length > 0) return `it holds no model under "${shorten(key!)}", but under ${listed(models)}`;
  const [module] = modules;
  if (module) {
    const [path, kind] = module;
    const where = path === "" ? "" : ` under ${shorten(path)}`;
    return `it holds the whole module (${shorten(kind)}${where}), which its own program alone can read. ` +
      "There, save its tensors: torch.save(model.state_dict(), NEW)";
  }
  const tensor = [...leaves].find(([, leaf]) => leaf instanceof TensorView)?.[0];
  const instead = tensor === undefined ? "no tensor at all" : `other tensors, such as "${shorten(tensor)}"`;
  return `there is no tensor "${MARKER}" in it, so it is no L2ViT; it holds ${instead}`;
}
