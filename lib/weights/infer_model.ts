/** @file A model's sizes, read off the shapes of its tensors: files that PyTorch wrote say nothing else about them. */

import { type ModelConfig, PUBLISHED_MODEL } from "../nn/config.ts";

/** What a file says about its model beside the tensors. */
export type KnownModel = Partial<
  Pick<ModelConfig, "img_size" | "dropout" | "drop_path_rate" | "denominator_floor" | "tokens" | "lcm">
>;

/**
 * A model's sizes from its tensors' shapes; rates, the denominator's floor and which tokens are computed are those of the published model.
 *
 * @param shapes shape of each tensor by name
 * @throws {Error} naming the first tensor that is missing or misshapen
 */
export function inferModel(shapes: ReadonlyMap<string, readonly number[]>): ModelConfig {
  const shape = (name: string, axes: number): number[] => {
    const found = shapes.get(name);
    if (!found) throw new Error(`tensor "${name}" is missing. This is not an L2ViT`);
    if (found.length !== axes) throw new Error(`tensor "${name}" has ${found.length} axes, not ${axes}. This is not an L2ViT`);
    if (found.includes(0)) throw new Error(`tensor "${name}" is empty. This is not an L2ViT`);
    return [...found];
  };
  const [embed_dim, in_channels, patch_size] = shape("patch_embed.proj.weight", 4) as [number, number, number];
  const [, tokens] = shape("pos_embed", 3) as [number, number];
  const grid = Math.round(Math.sqrt(tokens));
  if (grid * grid !== tokens) throw new Error(`tensor "pos_embed" has ${tokens} tokens, which is no square grid`);
  let depth = 0;
  while (shapes.has(`blocks.${depth}.norm1.weight`)) depth++;
  if (depth === 0) throw new Error("there are no blocks. This is not an L2ViT");
  const [num_heads] = shape("blocks.0.attn.temperature", 3) as [number];
  const [hidden] = shape("blocks.0.mlp.fc1.weight", 2) as [number];
  const [, , lcm_kernel] = shape("blocks.0.lcm.conv1.weight", 4) as [number, number, number];
  const deep = shapes.has("cls_head.0.weight");
  const head = deep ? "cls_head.2.weight" : "cls_head.weight";
  return {
    ...PUBLISHED_MODEL,
    in_channels,
    img_size: grid * patch_size,
    patch_size,
    embed_dim,
    depth,
    num_heads,
    mlp_ratio: hidden / embed_dim,
    // a backbone alone has no heads
    num_classes: shapes.has(head) ? shape(head, 2)[0]! : PUBLISHED_MODEL.num_classes,
    lcm_kernel,
    ...targetsOf(shapes.get(deep ? "reg_head.2.weight" : "reg_head.weight")),
    head_hidden: deep ? shape("cls_head.0.weight", 2)[0]! : 0,
  };
}

/** Rows of the head for targets, if there are several. */
function targetsOf(head: readonly number[] | undefined): Pick<ModelConfig, "num_targets"> {
  return head?.length === 2 && head[0]! > 1 ? { num_targets: head[0]! } : {};
}
