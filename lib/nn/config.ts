/** @file Sizes and rates of a model, with the key names of the PyTorch project's configs. */

/** Everything that determines a {@linkcode LinearViT}'s shape and its behaviour in training. */
export interface ModelConfig {
  /** Channels of an image. */
  readonly in_channels: number;
  /** Pixels along each side of an image. */
  readonly img_size: number;
  /** Pixels along each side of a patch; a remainder at the edge is left out. */
  readonly patch_size: number;
  /** Width of a token. */
  readonly embed_dim: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Attention heads; divides embed_dim. */
  readonly num_heads: number;
  /** Hidden width of the MLP over embed_dim. */
  readonly mlp_ratio: number;
  /** Classes that the classification head tells apart. */
  readonly num_classes: number;
  /** Probability of dropout after embedding, attention, and both layers of the MLP. */
  readonly dropout: number;
  /** Drop path of the last block; rises linearly from 0. */
  readonly drop_path_rate: number;
  /** Side of the depthwise kernels of the local concentration module, odd. */
  readonly lcm_kernel: number;
  /** Smallest denominator of the linear attention. */
  readonly denominator_floor: number;
  /** Hidden width of the heads; 0 for single linear layers. */
  readonly head_hidden: number;
}

/** The published model: 5,111,579 parameters. */
export const PUBLISHED_MODEL: ModelConfig = {
  in_channels: 8,
  img_size: 125,
  patch_size: 5,
  embed_dim: 256,
  depth: 6,
  num_heads: 4,
  mlp_ratio: 4,
  num_classes: 2,
  dropout: 0.1,
  drop_path_rate: 0.1,
  lcm_kernel: 7,
  denominator_floor: 100,
  head_hidden: 0,
};

/** Side of the token grid. */
export function gridOf(config: ModelConfig): number {
  return Math.floor(config.img_size / config.patch_size);
}

/** Hidden width of the MLP; the product of a ratio that was computed misses the whole number by a rounding. */
export function hiddenOf(config: ModelConfig): number {
  return Math.round(config.embed_dim * config.mlp_ratio);
}

/**
 * Checks that sizes fit together.
 *
 * @throws {RangeError} naming the key, what is wrong and what would do
 */
export function checkModel(config: ModelConfig): void {
  const fail = (text: string) => {
    throw new RangeError(text);
  };
  if (config.embed_dim % config.num_heads !== 0) {
    fail(`model.embed_dim must be a multiple of model.num_heads: ${config.embed_dim} is not a multiple of ${config.num_heads}`);
  }
  if (config.patch_size > config.img_size) {
    fail(`model.patch_size must not exceed model.img_size: ${config.patch_size} is more than ${config.img_size}`);
  }
  if (config.lcm_kernel % 2 !== 1) fail(`model.lcm_kernel must be odd: it is ${config.lcm_kernel}`);
  if (Math.abs(config.embed_dim * config.mlp_ratio - hiddenOf(config)) > 1e-9) {
    fail(`model.mlp_ratio times model.embed_dim must be a whole number: it is ${config.embed_dim * config.mlp_ratio}`);
  }
}
