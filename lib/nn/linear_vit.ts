/**
 * @file L2ViT: a vision transformer with linear attention and a local concentration module.
 *
 *     x = dropout(norm(patches W^T + b) + pos)
 *     x = x + drop_path(attention(norm1(x)))
 *     x = x + drop_path(conv2(batch_norm(gelu(conv1(norm_lcm(x))))))
 *     x = x + drop_path(fc2(gelu(fc1(norm2(x)))))                        for each block
 *     features = mean over tokens of norm(x)
 *     logits = cls_head(features)      targets = reg_head(features)
 *
 * After Zheng, "The Linear Attention Resurrection in Vision Transformer", arXiv:2501.16182. Parameters have
 * the names of the PyTorch project, so state dicts move both ways unchanged.
 */

import type { Gpu } from "../gpu/device.ts";
import { fromPlaces } from "../tensor/ops/active_tokens.ts";
import { addRepeated } from "../tensor/ops/add.ts";
import { type BatchGroups, batchNorm } from "../tensor/ops/batch_norm.ts";
import { depthwiseConv, depthwiseConvGelu } from "../tensor/ops/depthwise_conv.ts";
import { dropout, type DropRates } from "../tensor/ops/dropout.ts";
import { ImageViews } from "../tensor/ops/images.ts";
import { layerNorm, residualNorm } from "../tensor/ops/layer_norm.ts";
import { linear, type LinearOptions, rectifiedLinear, type Residual } from "../tensor/ops/linear.ts";
import { linearAttention } from "../tensor/ops/linear_attention.ts";
import { meanTokens } from "../tensor/ops/mean_tokens.ts";
import { embedsEntries, patchEmbedding } from "../tensor/ops/patch_embedding.ts";
import { takeVisible, type TokenMask } from "../tensor/ops/tokens.ts";
import { type Declaration, type Parameter, Parameters } from "../tensor/parameters.ts";
import type { Tape } from "../tensor/tape.ts";
import type { Tensor, Tokens } from "../tensor/tensor.ts";
import { checkModel, gridOf, hiddenOf, type ModelConfig } from "./config.ts";
import { type HeadOutput, HEADS } from "./heads.ts";
import { Declarations } from "./layers.ts";

/** Settings of a new model. */
export interface LinearViTOptions {
  /** Seed of the first weights; left out, there are none, for those who load others or want a plan alone. */
  readonly seed?: number;
  /** Parameters beside the model's own, such as a projection head's: they share the optimiser and the file. */
  readonly extra?: (declarations: Declarations) => void;
  /** Computes the inside of each block again in the backward pass, instead of keeping it until then. */
  readonly recompute?: boolean;
  /** How batch normalisation divides the images that it sees together. */
  readonly batchGroups?: BatchGroups;
}

/** How a block is recorded; `dropout` is that of attention and MLP, `path` that of whole branches. */
export interface BlockOptions extends DropRates {
  /** Leaves out the local concentration module (for tokens that are no grid). */
  readonly skipLcm?: boolean;
  /** Is given queries, keys and values (B, tokens, 3 * embed_dim) of each block, to look at its attention. */
  readonly onAttention?: (qkv: Tensor) => void;
}

/** The model: its parameters, and how to record its computation. */
export class LinearViT {
  /** Sizes and rates. */
  readonly config: ModelConfig;
  /** Everything that is learned, and the running statistics. */
  readonly parameters: Parameters;
  readonly #batchGroups: BatchGroups | undefined;
  readonly #recompute: boolean;

  /**
   * Makes a model, with random weights if there is a seed for them.
   *
   * @throws {RangeError} if sizes do not fit together
   * @example
   * ```ts ignore
   * const model = new LinearViT(gpu, PUBLISHED_MODEL, { seed: 42 });
   * console.log(model.parameters.count); // 5111579
   * ```
   */
  constructor(gpu: Gpu, config: ModelConfig, options: LinearViTOptions = {}) {
    checkModel(config);
    this.config = config;
    this.#batchGroups = options.batchGroups;
    this.#recompute = options.recompute ?? false;
    const declarations = new Declarations(options.seed);
    declareModel(declarations, config);
    options.extra?.(declarations);
    this.parameters = new Parameters(gpu, declarations.all);
  }

  /**
   * Token embeddings before the blocks.
   *
   * @param images patches (B, tokens, in_channels * patch_size^2), or views that become such patches where that is faster
   * @param tokens of the views, if they alone are embedded: those that are active, in a model of active tokens
   * @returns (B, tokens, embed_dim), or (tokens, embed_dim) of these
   */
  embed(tape: Tape, images: Tensor | ImageViews, tokens: Tokens | undefined = this.#tokensOf(images)): Tensor {
    const x = this.norm(tape, this.#embed(tape, images, "patch_embed.proj", tokens), "patch_embed.norm");
    return dropout(tape, addRepeated(tape, x, this.parameters.get("pos_embed")), this.config.dropout);
  }

  /**
   * One block.
   *
   * @param x (B, tokens, width), or active tokens (tokens, width)
   * @param name first part of the names of its parameters
   */
  block(tape: Tape, x: Tensor, name: string, { skipLcm, onAttention, dropout = 0, path = 0 }: BlockOptions = {}): Tensor {
    const end = (to: Tensor) => ({ to, dropout, path });
    x = this.#attention(tape, this.norm(tape, x, `${name}.norm1`), `${name}.attn`, end(x), onAttention);
    const mlp = (normed: Tensor, to: Tensor) => this.#mlp(tape, normed, `${name}.mlp`, dropout, end(to));
    if (skipLcm) return mlp(this.norm(tape, x, `${name}.norm2`), x);
    const lcm = this.#concentration(tape, this.norm(tape, x, `${name}.norm_lcm`), `${name}.lcm`);
    const { sum, normed } = residualNorm(tape, x, lcm, { path }, ...this.#weights(`${name}.norm2`));
    return mlp(normed, sum);
  }

  /**
   * The pooled representation of each image.
   *
   * @param images as {@linkcode embed} takes them
   * @returns (B, embed_dim)
   */
  features(tape: Tape, images: Tensor | ImageViews, options?: BlockOptions): Tensor {
    return meanTokens(tape, this.norm(tape, this.#blocks(tape, this.embed(tape, images), options), "norm"));
  }

  /**
   * Some of the active tokens of each image, encoded as if there were no others.
   *
   * @returns (tokens, embed_dim)
   */
  encode(tape: Tape, images: ImageViews, tokens: Tokens): Tensor {
    return this.norm(tape, this.#blocks(tape, this.embed(tape, images, tokens)), "norm");
  }

  /**
   * The visible tokens of each image, encoded without the local concentration module: they are no grid.
   *
   * @param images as {@linkcode embed} takes them
   * @returns (B, visible, embed_dim)
   */
  encodeVisible(tape: Tape, images: Tensor | ImageViews, mask: TokenMask): Tensor {
    const visible = takeVisible(tape, this.embed(tape, images), mask);
    return this.norm(tape, this.#blocks(tape, visible, { skipLcm: true }), "norm");
  }

  /**
   * Class scores and normalised targets, the mass alone if there are no others.
   *
   * @param features (B, embed_dim)
   * @returns logits (B, num_classes) and targets (B, num_targets)
   */
  heads(tape: Tape, features: Tensor): Record<HeadOutput, Tensor> {
    const outputs = Object.entries(HEADS).map(([name, { output }]) => [output, this.#head(tape, features, name)]);
    return Object.fromEntries(outputs) as Record<HeadOutput, Tensor>;
  }

  /** A linear layer of this model. */
  linear(tape: Tape, x: Tensor, name: string, options?: LinearOptions): Tensor {
    return linear(tape, x, ...this.#weights(name), options);
  }

  /** The most values of a token in anything that is computed of it. */
  get widest(): number {
    const { in_channels, patch_size, embed_dim } = this.config;
    return Math.max(in_channels * patch_size ** 2, 3 * embed_dim, hiddenOf(this.config));
  }

  /** In how many groups batch normalisation sees what is recorded. */
  groups({ training }: Tape): number {
    return training ? this.#batchGroups?.groups ?? 1 : 1;
  }

  /** True if batch normalisation sees a batch in groups, be it because parts of it are computed by themselves. */
  dividesBatch(tape: Tape): boolean {
    return tape.inParts || this.groups(tape) > 1;
  }

  /** A batch normalisation of this model. */
  batchNorm(tape: Tape, x: Tensor, name: string, moments?: Tensor): Tensor {
    const moved = tape.training && tape.inParts;
    const tensors = {
      weight: this.parameters.get(`${name}.weight`),
      bias: this.parameters.get(`${name}.bias`),
      runningMean: this.parameters.running(`${name}.running_mean`, moved),
      runningVar: this.parameters.running(`${name}.running_var`, moved),
    };
    return batchNorm(tape, x, tensors, this.#batchGroups, moments);
  }

  /** A layer normalisation of this model. */
  norm(tape: Tape, x: Tensor, name: string): Tensor {
    return layerNorm(tape, x, ...this.#weights(name));
  }

  #tokensOf(images: Tensor | ImageViews): Tokens | undefined {
    return this.config.tokens === "active" && images instanceof ImageViews ? images.tokens(this.widest) : undefined;
  }

  #embed(tape: Tape, images: Tensor | ImageViews, name: string, tokens: Tokens | undefined): Tensor {
    if (!(images instanceof ImageViews)) return this.linear(tape, images, name);
    if (embedsEntries(tape.gpu, images, this.config.embed_dim)) return patchEmbedding(tape, images, ...this.#weights(name), tokens);
    return this.linear(tape, tokens ? fromPlaces(tape, images.patches, tokens) : images.patches, name);
  }

  #blocks(tape: Tape, x: Tensor, options?: BlockOptions): Tensor {
    const { depth, drop_path_rate, dropout } = this.config;
    for (let i = 0; i < depth; i++) {
      const path = depth > 1 ? drop_path_rate * i / (depth - 1) : 0;
      const block = (input: Tensor) => this.block(tape, input, `blocks.${i}`, { dropout, path, ...options });
      x = this.#recompute ? tape.recompute(x, block) : block(x);
    }
    return x;
  }

  #attention(tape: Tape, x: Tensor, name: string, residual: Residual, look?: (qkv: Tensor) => void): Tensor {
    // queries and keys
    const qkv = rectifiedLinear(tape, x, ...this.#weights(`${name}.qkv`), 2 * x.shape.at(-1)!);
    look?.(qkv.values);
    const out = linearAttention(tape, qkv, this.parameters.get(`${name}.temperature`), this.config.denominator_floor);
    return this.linear(tape, out, `${name}.proj`, { residual });
  }

  #concentration(tape: Tape, x: Tensor, name: string): Tensor {
    const { tokens } = x;
    const inner = this.config.lcm === "submanifold" ? tokens : undefined;
    const { y, moments } = depthwiseConvGelu(tape, x, ...this.#weights(`${name}.conv1`), { tokens: inner });
    const hidden = this.batchNorm(tape, y, `${name}.bn`, moments);
    return depthwiseConv(tape, hidden, ...this.#weights(`${name}.conv2`), { tokens });
  }

  #mlp(tape: Tape, x: Tensor, name: string, dropout: number, residual: Residual): Tensor {
    const hidden = this.linear(tape, x, `${name}.fc1`, { gelu: true, dropout });
    return this.linear(tape, hidden, `${name}.fc2`, { residual });
  }

  #weights(name: string): [weight: Parameter, bias: Parameter] {
    return [this.parameters.get(`${name}.weight`), this.parameters.get(`${name}.bias`)];
  }

  #head(tape: Tape, features: Tensor, name: string): Tensor {
    if (this.config.head_hidden === 0) return this.linear(tape, features, name);
    return this.linear(tape, this.linear(tape, features, `${name}.0`, { gelu: true }), `${name}.2`);
  }
}

/** Number of the layer that a parameter is in: 0 for the embedding, 1 to depth for the blocks, then the last norm and the heads. */
export function layerOf(name: string, depth: number): number {
  const [, block] = /^blocks\.(\d+)\./.exec(name) ?? [];
  return block !== undefined ? Number(block) + 1 : /^(patch_embed|pos_embed)/.test(name) ? 0 : depth + 1;
}

/** Shapes of all tensors of a model with this configuration, by name. */
export function shapesOf(config: ModelConfig): Map<string, readonly number[]> {
  const declarations = new Declarations();
  declareModel(declarations, config);
  return new Map(declarations.all.map(({ name, shape }: Declaration) => [name, shape]));
}

function declareModel(d: Declarations, config: ModelConfig): void {
  const { in_channels, patch_size, embed_dim: dim, depth, num_heads, lcm_kernel } = config;
  const hidden = hiddenOf(config);
  d.linear("patch_embed.proj", dim, in_channels, patch_size, patch_size);
  d.norm("patch_embed.norm", dim);
  d.normal("pos_embed", [1, gridOf(config) ** 2, dim]);
  for (let i = 0; i < depth; i++) {
    declareBlock(d, `blocks.${i}`, { dim, heads: num_heads, hidden, kernel: lcm_kernel });
  }
  d.norm("norm", dim);
  for (const [name, { width }] of Object.entries(HEADS)) declareHead(d, name, config, width(config));
}

/** Sizes of a block. */
export interface BlockSizes {
  /** Width of a token. */
  readonly dim: number;
  /** Attention heads; divides dim. */
  readonly heads: number;
  /** Hidden width of the MLP. */
  readonly hidden: number;
  /** Side of the depthwise kernels. */
  readonly kernel: number;
}

/** Declares the parameters of a block. */
export function declareBlock(d: Declarations, name: string, { dim, heads, hidden, kernel: k }: BlockSizes): void {
  d.norm(`${name}.norm1`, dim);
  d.linear(`${name}.attn.qkv`, 3 * dim, dim);
  d.constant(`${name}.attn.temperature`, [heads, 1, 1], 1 / Math.sqrt(dim / heads));
  d.linear(`${name}.attn.proj`, dim, dim);
  d.norm(`${name}.norm_lcm`, dim);
  d.linear(`${name}.lcm.conv1`, dim, 1, k, k);
  d.batchNorm(`${name}.lcm.bn`, dim);
  d.linear(`${name}.lcm.conv2`, dim, 1, k, k);
  d.norm(`${name}.norm2`, dim);
  d.linear(`${name}.mlp.fc1`, hidden, dim);
  d.linear(`${name}.mlp.fc2`, dim, hidden);
}

function declareHead(d: Declarations, name: string, { embed_dim, head_hidden }: ModelConfig, out: number): void {
  if (head_hidden === 0) return d.linear(name, out, embed_dim);
  d.linear(`${name}.0`, head_hidden, embed_dim);
  d.linear(`${name}.2`, out, head_hidden);
}
