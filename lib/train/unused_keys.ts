/**
 * @file Which keys of a configuration a training run does not use: a key that was set should have an effect.
 *
 * Those under model say what the model is, and may be set for all tasks alike.
 */

const SIMCLR = [
  "augment.drop_channels_min",
  "augment.drop_channels_max",
  "augment.noise_probability",
  "augment.noise_sigma",
  "training.temperature",
];
const MAE = ["mae.mask_ratio", "mae.decoder_embed_dim", "mae.decoder_depth", "mae.decoder_num_heads"];
const ACTIVE_MAE = ["active_mae.target", ...MAE.map((key) => `active_${key}`)];
const PRETRAINING = ["data.unlabelled_path", "training.method", "training.lr"];
const FINETUNING = [
  "data.labelled_path",
  "data.class_of",
  "data.keys.labels",
  "data.keys.mass",
  "data.keys.targets",
  "data.keys.weight",
  "data.test_path",
  "training.class_weights",
  "training.backbone_lr",
  "training.head_lr",
  "training.lambda_cls",
  "training.lambda_reg",
  "pretrained_weights",
];
const NONE = ["data.num_workers", "data.keys.pt"];

/** Keys that a run does not use, by what it trains: finetuning, or a method of pretraining. */
export const UNUSED_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["finetune", [...NONE, ...PRETRAINING, ...SIMCLR, ...MAE, ...ACTIVE_MAE]],
  ["simclr", [...NONE, ...FINETUNING, ...MAE, ...ACTIVE_MAE, "data.augment"]],
  ["mae", [...NONE, ...FINETUNING, ...SIMCLR, ...ACTIVE_MAE, "training.batch_groups"]],
  ["active_mae", [...NONE, ...FINETUNING, ...SIMCLR, ...MAE]],
]);
