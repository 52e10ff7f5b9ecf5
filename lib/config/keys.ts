/**
 * @file Every key of a run's configuration. Names are those of the PyTorch project's configs where it has them.
 *
 * A new key is one entry here: type, default, check, `--help` and the README's table follow from it.
 */

import { type ConfigOf, datasets, defaultsOf, flag, numbersByPattern, oneOf, paths, real, text, whole } from "./schema.ts";

const LARGEST_SEED = 2 ** 32 - 1;

/** All keys. */
export const KEYS = {
  data: {
    unlabelled_path: paths(
      "data/Dataset_Specific_Unlabelled.h5",
      "images alone (pretrain): a file, or several as a list or a pattern",
    ),
    labelled_path: paths(
      "data/Dataset_Specific_labelled_full_only_for_2i.h5",
      "images, labels and masses (finetune), in the same ways",
    ),
    class_of: numbersByPattern("class of all images of a labelled file, by its name, such as {qcd*.h5: 0, top*.h5: 1}"),
    test_path: paths("", "labelled files that are for testing alone; none are then taken from data.labelled_path"),
    cache_dir: text("cache", 'folder for packed images; "": in memory, packed at every start'),
    gpu_share: real(
      0.5,
      "the packed images stay on the GPU as a whole if they take no more than this part of its largest binding",
      { most: 1 },
    ),
    keys: {
      images: text("", "name of the dataset of images, where it is not a usual one"),
      labels: text("", "the same of the labels"),
      mass: text("", "the same of the masses"),
      pt: text("", "the same of the transverse momenta"),
      targets: datasets("names of the datasets of numbers that are learned instead of the mass, such as [m, pT]"),
      weight: text("", "name of the dataset of event weights, which losses, measures and figures then use"),
    },
    batch_size: whole(64, "images in a step"),
    seed: whole(42, "split, order, weights, augmentation, dropout", { least: 0, most: LARGEST_SEED }),
    folds: whole(0, "parts of a cross-validation, of which one is for testing; 0: none, 20 % are", { least: 0 }),
    fold: whole(0, "which part is for testing, counted from 0", { least: 0 }),
    split_seed: whole(-1, "split alone; -1: data.seed", { least: -1, most: LARGEST_SEED }),
    augment: flag(true, "flips and roll while finetuning, and in masked pretraining"),
    norm_scale: real(255, "values are divided by it", { least: 1e-30 }),
    transform: oneOf(
      ["linear", "log1p", "sqrt"],
      "what becomes of a value x: x / norm_scale, log(1 + x) / log(1 + norm_scale), or the root of x / norm_scale",
    ),
    shuffle: flag(true, "false: training images in the order of the split"),
    max_train_images: whole(0, "trains on the first so many images of the training part; 0: on all", { least: 0 }),
    num_workers: whole(4, "accepted for compatibility, unused", { least: 0 }),
  },
  model: {
    in_channels: whole(8, "channels of an image"),
    img_size: whole(125, "pixels along each side of an image"),
    patch_size: whole(5, "pixels along each side of a patch; a remainder at the edge is left out"),
    embed_dim: whole(256, "width of a token"),
    depth: whole(6, "blocks", { most: 1000 }),
    num_heads: whole(4, "attention heads; divides embed_dim"),
    mlp_ratio: real(4, "hidden width of the MLP over embed_dim", { least: 1e-3 }),
    num_classes: whole(2, "classes that are told apart", { least: 2 }),
    dropout: real(0.1, "probability after embedding, attention, and both layers of the MLP", { most: 0.99 }),
    drop_path_rate: real(0.1, "stochastic depth of the last block; rises linearly from 0", {
      most: 0.99,
      source: "arXiv:1603.09382",
    }),
    lcm_kernel: whole(7, "side of the depthwise kernels of the local concentration module, odd"),
    denominator_floor: real(100, "smallest denominator of the linear attention", { least: 1e-30, source: "arXiv:2501.16182" }),
    tokens: oneOf(["all", "active"], "active: patches without any pixel are left out, in attention, means and statistics too"),
    lcm: oneOf(
      ["submanifold", "wide"],
      "what the local concentration module does with empty patches among active tokens: submanifold leaves them at zero, wide fills " +
        "them between its two convolutions",
    ),
    head_hidden: whole(0, "hidden width of the heads; 0: single linear layers", { least: 0 }),
    projection_dim: whole(128, "width of SimCLR's projections", { most: 65_536 }),
  },
  augment: {
    flip_phi: flag(true, "mirrors along phi with probability 1/2"),
    flip_eta: flag(true, "mirrors along eta with probability 1/2"),
    roll: oneOf(["phi", "towers", "none"], "phi: cyclic, any number of pixels; towers: small shifts in whole patches, not cyclic"),
    max_towers: whole(2, "largest shift of towers", { least: 0, unit: "patches" }),
    drop_channels_min: whole(1, "fewest channels set to zero (SimCLR)", { least: 0 }),
    drop_channels_max: whole(2, "most channels set to zero (SimCLR)", { least: 0 }),
    noise_probability: real(0.7, "probability of noise on an image's non-zero pixels (SimCLR)", { most: 1 }),
    noise_sigma: real(0.02, "deviation of the noise (SimCLR)", { unit: "norm_scale" }),
  },
  mae: {
    mask_ratio: real(0.75, "part of the patches that are hidden", { most: 0.99, source: "arXiv:2111.06377" }),
    decoder_embed_dim: whole(128, "width of the decoder", { most: 16_384 }),
    decoder_depth: whole(2, "blocks of the decoder", { most: 1000 }),
    decoder_num_heads: whole(4, "attention heads of the decoder"),
  },
  active_mae: {
    mask_ratio: real(0.65, "part of an image's active tokens that are hidden", {
      least: 0.01,
      most: 0.99,
      source: "arXiv:2301.03580",
    }),
    target: oneOf(
      ["sums", "pixels"],
      "what is predicted of them: sums, the log of each channel's sum in units of its deviation; pixels, the log of each pixel",
    ),
    decoder_embed_dim: whole(32, "width of the decoder", { most: 16_384 }),
    decoder_depth: whole(1, "blocks of the decoder", { most: 1000 }),
    decoder_num_heads: whole(2, "attention heads of the decoder"),
  },
  training: {
    method: text("simclr", "how pretraining works: simclr, mae or active_mae", { source: "arXiv:2002.05709, arXiv:2111.06377" }),
    seed: whole(-1, "order, weights, augmentation, dropout; -1: data.seed", { least: -1, most: LARGEST_SEED }),
    epochs: whole(50, "most epochs"),
    warmup_epochs: whole(3, "epochs of a linear rise of the learning rate; then it falls as a cosine", {
      least: 0,
      source: "arXiv:1608.03983",
    }),
    lr: real(3e-4, "learning rate of pretraining"),
    backbone_lr: real(5e-5, "learning rate of the backbone in finetuning"),
    head_lr: real(1e-4, "learning rate of the heads in finetuning"),
    layer_decay: real(1, "factor of the learning rate from each block to the one before it, in finetuning", {
      least: 1e-3,
      most: 1,
      source: "arXiv:2106.08254",
    }),
    freeze_epochs: whole(0, "epochs of finetuning in which the heads alone are trained", { least: 0 }),
    weight_decay: real(0.01, "of AdamW", { source: "arXiv:1711.05101" }),
    ema: real(0, "decay of a running mean of the weights, which is evaluated and saved in their place, such as 0.999; 0: none", {
      most: 1 - 1e-6,
    }),
    clip_norm: real(1, "largest norm of the gradient; 0: no limit"),
    monitor: text("loss", "validation measure that says which weights are best: loss, acc, mae, roc_auc, mass_rmse, ..."),
    patience: whole(15, "epochs without a better value of it before stopping"),
    keep: whole(1, "best epochs whose weights are kept; of more than 1 each has a file epoch-N.safetensors"),
    temperature: real(0.5, "of NT-Xent", { least: 1e-6, source: "arXiv:2002.05709" }),
    lambda_cls: real(1, "weight of the cross entropy"),
    lambda_reg: real(1, "weight of the smooth L1 loss of the mass, or of the mean over targets"),
    class_weights: oneOf(
      ["none", "balanced"],
      "balanced: in the cross entropy all classes count alike, however many images they have, as scikit-learn's",
    ),
    log_target: flag(false, "learns the logarithm of the mass, or of every target"),
    label_smoothing: real(0, "part of a label's share that all classes get alike, in the training loss", {
      most: 1,
      source: "arXiv:1512.00567",
    }),
    max_steps: whole(0, "ends the run after so many steps; 0: no limit", { least: 0 }),
    max_skipped_steps: whole(10, "steps in a row that may be skipped since their gradient is not finite"),
    checkpoint_minutes: real(10, "time between checkpoints within an epoch", { unit: "minutes" }),
    accumulate: whole(
      1,
      "batches of data.batch_size in a step, one after the other: what one batch so many times as large gives, in less memory",
    ),
    batch_groups: whole(
      0,
      "groups of a batch that batch normalisation sees by themselves: what so many ranks of deno task mpi compute; 0: as many as there are",
      { least: 0 },
    ),
    recompute: oneOf(
      ["none", "blocks"],
      "blocks: each block is computed again in the backward pass instead of being kept; the same bits in less memory",
      { source: "arXiv:1604.06174" },
    ),
    tune: oneOf(
      ["auto", "off"],
      "auto measures variants of large matrix products at the first use of an adapter; off takes fixed ones",
    ),
  },
  output: {
    dir: text("runs/latest", "the run's folder, also --out"),
    tensorboard: flag(false, "curves, and figures of the validation images, as a file of TensorBoard's too"),
  },
  pretrained_weights: text("", "backbone to finetune from"),
} as const;

/** What a run trains on and how. */
export type RunConfig = ConfigOf<typeof KEYS>;

/** Every key with its default. */
export function defaultConfig(): RunConfig {
  return defaultsOf(KEYS);
}
