/**
 * @file What a checkpoint of PyTorch says about its model beside the tensors, as metadata of a weight file.
 *
 * People keep these numbers in many forms: a number, a tensor, array or list of one, in a dict of statistics, in the configuration, as attributes of the
 * program's arguments. They are known by their names. Of several that have one name, the one nearest to the model counts.
 */

import { shorten } from "../format.ts";
import { TensorView } from "../io/tensor_view.ts";
import type { WeightFile } from "../io/weight_file.ts";
import type { FoundModel } from "./find_model.ts";

/** Names that end a path, by key of the metadata. */
const FACTS = {
  mass_mean: /(?:^|[./])(?:mass_mean|mass(?:_stats|_norm)?[./]mean)$/,
  mass_std: /(?:^|[./])(?:mass_std|mass(?:_stats|_norm)?[./]std)$/,
  norm_scale: /(?:^|[./])norm_scale$/,
  img_size: /(?:^|[./])img_size$/,
  denominator_floor: /(?:^|[./])denominator_floor$/,
} as const;
const CURVE = /(?:^|[./])history\/[\w-]{1,64}$/;
/** Numbers of all curves; files with more repeat the same list under many names. */
const MOST_POINTS = 1_000_000;
/** Lists of a list of ... a number. */
const DEEPEST = 4;

/**
 * What a file says.
 *
 * @throws {Error} if a number is given as something else than one number, or as two numbers equally near to the model
 */
export function factsOf(
  { leaves }: Pick<WeightFile, "leaves">,
  model: Pick<FoundModel, "prefix" | "others">,
): Record<string, string> {
  const facts: Record<string, string> = {}, known: Record<string, number> = {};
  for (const [key, name] of Object.entries(FACTS)) {
    // None says nothing
    const paths = [...leaves].filter(([path, leaf]) => name.test(path) && leaf !== null).map(([path]) => path);
    const found = nearest(paths, model).map((path) => ({ path, value: factOf(path, leaves.get(path)) }));
    const value = found[0]?.value;
    if (value === undefined) continue;
    const other = found.find((fact) => !Object.is(fact.value, value));
    if (other) throw new Error(`it says ${key} twice: ${value}, and ${other.value} under ${shorten(other.path)}`);
    if (key === "img_size" || key === "denominator_floor") known[key] = value;
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

/** The one number of a leaf; of an image size, which is used to check the data alone, nothing if there are two. */
function factOf(path: string, leaf: unknown): number | undefined {
  const value = numberOf(leaf);
  if (value !== undefined) return value;
  if (!FACTS.img_size.test(path)) throw new Error(`${shorten(path)} in it is no single number`);
  return Array.isArray(leaf) && leaf.length === 2 && leaf[0] === leaf[1] ? numberOf(leaf[0]) : undefined;
}

/** The number in a number, in a tensor or list of one, or in text. */
function numberOf(leaf: unknown): number | undefined {
  let value = leaf;
  for (let depth = 0; depth < DEEPEST && Array.isArray(value) && value.length === 1; depth++) value = value[0];
  if (value instanceof TensorView && value.size === 1) return value.numbers()[0];
  if (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value))) return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** Curves by name; points that are no numbers have no place in JSON. */
function curvesOf(leaves: WeightFile["leaves"], model: Pick<FoundModel, "prefix" | "others">): [string, (number | null)[]][] {
  const paths = [...leaves.keys()].filter((path) => CURVE.test(path));
  const [place] = nearest([...new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))))], model);
  const curves: [string, (number | null)[]][] = [];
  let points = 0;
  for (const path of paths.filter((path) => path.slice(0, path.lastIndexOf("/")) === place)) {
    const leaf = leaves.get(path);
    const count = Array.isArray(leaf) ? leaf.length : leaf instanceof TensorView && leaf.shape.length === 1 ? leaf.size : 0;
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
