/**
 * @file What a checkpoint of PyTorch says about its model beside the tensors, as metadata of a weight file.
 *
 * People keep these numbers in many forms: as a number, in a tensor, array or list of one; beside the model, in a dict of statistics,
 * in a configuration, or as attributes of the program's arguments. They are known by their names. Of several that have one name, the
 * one nearest to the model counts.
 */

import { isForeign } from "../io/safetensors.ts";
import { TensorView } from "../io/tensor_view.ts";
import type { WeightFile } from "../io/weight_file.ts";
import type { FoundModel } from "./find_model.ts";

/** For each key of the metadata, the names that end a path, and which values it may have. */
const FACTS: Readonly<Record<string, readonly [name: RegExp, may: (value: number) => boolean]>> = {
  mass_mean: [/(?:^|[./])(?:mass_mean|mass(?:_stats|_norm)?[./]mean)$/, Number.isFinite],
  mass_std: [/(?:^|[./])(?:mass_std|mass(?:_stats|_norm)?[./]std)$/, isPositive],
  norm_scale: [/(?:^|[./])norm_scale$/, isPositive],
  img_size: [/(?:^|[./])img_size$/, (value) => Number.isSafeInteger(value) && value > 0],
  denominator_floor: [/(?:^|[./])denominator_floor$/, isPositive],
};
/** Keys that are said of the model. */
const OF_MODEL = ["img_size", "denominator_floor"];
const CURVE = /(?:^|[./])history\/[\w-]{1,64}$/;
/** Numbers of all curves; files with more repeat the same list under many names. */
const MOST_POINTS = 1_000_000;
/** Lists of a list of ... a number. */
const DEEPEST = 4;

/** What a file clearly says: not what is no single number, and not what is said twice, as near to the model, and differently. */
export function factsOf(
  { leaves }: Pick<WeightFile, "leaves">,
  model: Pick<FoundModel, "prefix" | "others">,
): Record<string, string> {
  const facts: Record<string, string> = {}, known: Record<string, number> = {};
  for (const [key, [name, may]] of Object.entries(FACTS)) {
    // None says nothing
    const paths = [...leaves].filter(([path, leaf]) => name.test(path) && leaf !== null).map(([path]) => path);
    const [value, ...others] = nearest(paths, model).map((path) => numberOf(leaves.get(path)));
    if (value === undefined || !may(value) || others.some((other) => other !== value)) continue;
    if (OF_MODEL.includes(key)) known[key] = value;
    else facts[key] = String(value);
  }
  if (Object.keys(known).length > 0) facts["model"] = JSON.stringify(known);
  const curves = curvesOf(leaves, model);
  if (curves.length > 0) facts["history"] = JSON.stringify(Object.fromEntries(curves));
  return facts;
}

/** Those of the paths that share most with the model's, of them the shortest; none that are nearer to another model. */
function nearest(paths: readonly string[], { prefix, others }: Pick<FoundModel, "prefix" | "others">): string[] {
  const ranked = paths.map((path) => ({ path, shared: shared(path, prefix), parts: partsOf(path).length }))
    .filter(({ path, shared: own }) => others.every((other) => shared(path, other) <= own))
    .sort((a, b) => b.shared - a.shared || a.parts - b.parts);
  return ranked.filter(({ shared, parts }) => shared === ranked[0]!.shared && parts === ranked[0]!.parts).map(({ path }) => path);
}

function partsOf(path: string): string[] {
  return path.split(/[./]/);
}

/** Number of parts with which both paths begin. */
function shared(a: string, b: string): number {
  const left = partsOf(a), right = partsOf(b);
  const differs = left.findIndex((part, i) => part !== right[i]);
  return differs < 0 ? left.length : differs;
}

/** The number in a number, in a tensor or list of one or of twice the same (as of height and width), or in text. */
function numberOf(leaf: unknown): number | undefined {
  let value = leaf;
  for (let depth = 0; depth < DEEPEST && Array.isArray(value); depth++) {
    if (value.length !== 1 && !(value.length === 2 && value[0] === value[1])) return undefined;
    value = value[0];
  }
  if (value instanceof TensorView) return value.size === 1 && !isForeign(value.dtype) ? value.numbers()[0] : undefined;
  if (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value))) return Number(value);
  return typeof value === "number" ? value : undefined;
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

/** Curves by name; points that are no numbers have no place in JSON. */
function curvesOf(leaves: WeightFile["leaves"], model: Pick<FoundModel, "prefix" | "others">): [string, (number | null)[]][] {
  const paths = [...leaves.keys()].filter((path) => CURVE.test(path));
  const [place] = nearest([...new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))))], model);
  const curves: [string, (number | null)[]][] = [];
  let points = 0;
  for (const path of paths.filter((path) => path.slice(0, path.lastIndexOf("/")) === place)) {
    const leaf = leaves.get(path);
    const count = Array.isArray(leaf)
      ? leaf.length
      : leaf instanceof TensorView && leaf.shape.length === 1 && !isForeign(leaf.dtype)
      ? leaf.size
      : 0;
    points += count;
    if (count === 0 || points > MOST_POINTS) continue;
    const values = leaf instanceof TensorView
      ? leaf.numbers()
      : (leaf as unknown[]).map((item) => item === null ? NaN : numberOf(item));
    if (values.every((value) => value !== undefined)) {
      curves.push([path.slice(place!.length + 1), values.map((value) => Number.isFinite(value) ? value : null)]);
    }
  }
  return curves;
}
