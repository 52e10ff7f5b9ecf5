/**
 * @file What lies beside the weights in a folder that Hugging Face's save_pretrained() writes: config.json, the arguments that the
 * model was made with, under names that its author chose.
 */

import { shorten } from "../format.ts";
import { isRecord } from "../io/json.ts";
import { factsOf } from "./checkpoint_facts.ts";
import type { FoundModel } from "./find_model.ts";
import { inferModel } from "./infer_model.ts";

const CONFIG = "config.json";
/** Sizes that tensors tell: a configuration with others belongs to another model. */
const SIZES = ["in_channels", "patch_size", "embed_dim", "depth", "num_heads", "lcm_kernel"] as const;
/** Dicts of dicts of ... values. */
const DEEPEST = 8;

/**
 * What the configuration beside a file says, as metadata of a weight file.
 *
 * @param text of the configuration
 * @throws {Error} if it is not JSON, or belongs to another model
 */
export function factsOfConfig(text: string, model: FoundModel): Record<string, string> {
  const leaves = new Map(leavesOf(parse(text)));
  const sizes = inferModel(new Map([...model.tensors].map(([name, { shape }]) => [name, shape])));
  for (const key of SIZES) {
    const given = [...leaves].filter(([name, value]) => name.split("/").at(-1) === key && typeof value === "number");
    if (given.length === 0 || given.some(([, value]) => value === sizes[key])) continue;
    throw new Error(
      `${CONFIG} beside it is another model's: ${shorten(given[0]![0])} is ${given[0]![1]} there, and ${
        sizes[key]
      } by the tensors. ` +
        "Put the right one in its place, or move it away",
    );
  }
  return factsOf({ leaves }, { prefix: "", others: [] });
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // said below
  }
  if (!isRecord(value)) throw new Error(`${CONFIG} beside it is no JSON object. Mend it, or move it away`);
  return value;
}

/** What is no dict, by its path. */
function* leavesOf(config: Record<string, unknown>, prefix = "", depth = 0): Generator<[path: string, value: unknown]> {
  for (const [key, value] of Object.entries(config)) {
    if (!isRecord(value)) yield [prefix + key, value];
    else if (depth < DEEPEST) yield* leavesOf(value, `${prefix}${key}/`, depth + 1);
  }
}
