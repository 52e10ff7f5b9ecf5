/**
 * @file Run configurations: YAML files with the key names of the PyTorch project, checked key by key.
 *
 * A schema gives each key its kind, its default and what it is for. An unknown key, a wrong type or a value out
 * of range is an error that names the key, what was expected and the nearest valid name.
 */

import { parse, stringify } from "@std/yaml";
import { shorten } from "./format.ts";
import type { ModelConfig } from "./nn/config.ts";
import { PUBLISHED_MODEL } from "./nn/config.ts";

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  /** Name of the error class. */
  override readonly name = "ConfigError";
}

/** What a run trains on and how. Keys are those of the PyTorch project's configs where it has them. */
export interface RunConfig {
  /** Where images come from and how they are taken. */
  data: {
    /** HDF5 file with images alone (pretrain). */
    unlabelled_path: string;
    /** HDF5 file with images, labels and masses (finetune). */
    labelled_path: string;
    /** Images in a step. */
    batch_size: number;
    /** Seed of splits, order, weights and every other random number of the run. */
    seed: number;
    /** Flips and roll while finetuning, and in masked pretraining. */
    augment: boolean;
    /** Values are divided by it. */
    norm_scale: number;
    /** False takes the training images in the order of the split, every epoch. */
    shuffle: boolean;
    /** Trains on no more images than these, the first of the split; 0 for all. Validation and test stay as they are. */
    max_train_images: number;
    /** Accepted for compatibility with the PyTorch project's configs; reading needs no such number here. */
    num_workers: number;
    /** Folder for packed images; empty packs them in memory at every start. */
    cache_dir: string;
    /** Part of the adapter's largest binding that the packed data set may take to stay there as a whole. */
    gpu_share: number;
    /** Names of datasets in the file where they are not the usual ones. */
    keys: { images: string; labels: string; mass: string; pt: string };
  };
  /** Sizes and rates of the model. */
  model: ModelConfig & {
    /** Width of the projections that SimCLR compares. */
    projection_dim: number;
  };
  /** What is done to training images. */
  augment: {
    flip_phi: boolean;
    flip_eta: boolean;
    /** "phi": cyclic, any number of pixels; "towers": up to max_towers patches along both axes, not cyclic; "none". */
    roll: "phi" | "towers" | "none";
    max_towers: number;
    /** Fewest and most channels set to zero (SimCLR only). */
    drop_channels_min: number;
    drop_channels_max: number;
    /** Noise on non-zero pixels (SimCLR only). */
    noise_probability: number;
    noise_sigma: number;
  };
  /** Masked pretraining (training.method mae). */
  mae: {
    /** Part of the tokens that are masked. */
    mask_ratio: number;
    /** Width, blocks and heads of the decoder that is thrown away after pretraining. */
    decoder_embed_dim: number;
    decoder_depth: number;
    decoder_num_heads: number;
  };
  /** Schedule, optimiser and losses. */
  training: {
    /** How pretraining works: "simclr" (two views find each other) or "mae" (masked tokens are predicted). */
    method: "simclr" | "mae";
    epochs: number;
    /** Learning rate of pretraining. */
    lr: number;
    /** Learning rate of everything but the heads when finetuning. */
    backbone_lr: number;
    /** Learning rate of the heads when finetuning. */
    head_lr: number;
    weight_decay: number;
    /** Epochs in which the learning rate rises to its full value. */
    warmup_epochs: number;
    /** Epochs without a better validation loss after which training stops. */
    patience: number;
    /** Temperature of NT-Xent. */
    temperature: number;
    /** Weights of the two losses when finetuning. */
    lambda_cls: number;
    lambda_reg: number;
    /** Largest norm of the gradient; 0 for no limit. */
    clip_norm: number;
    /** Ends the run after so many steps; 0 for no limit. */
    max_steps: number;
    /** Steps in a row with a gradient that is not finite after which the run stops. */
    max_skipped_steps: number;
    /** Minutes between checkpoints within an epoch. */
    checkpoint_minutes: number;
    /** "blocks" computes each block again in the backward pass: a fraction of the memory, about a third more time. */
    recompute: "none" | "blocks";
    /** "auto" measures variants of kernels at the first use of an adapter, "off" takes fixed ones. */
    tune: "off" | "auto";
  };
  /** Where results go. */
  output: {
    /** Folder for weights, metrics and log. */
    dir: string;
  };
  /** Backbone to finetune from; empty trains from scratch. */
  pretrained_weights: string;
}

interface Leaf {
  readonly kind: "string" | "boolean" | "number" | "integer";
  readonly initial: string | number | boolean;
  readonly least?: number;
  readonly most?: number;
  readonly oneOf?: readonly string[];
}

interface Section {
  readonly [key: string]: Leaf | Section;
}

const text = (initial: string, ...oneOf: string[]): Leaf => ({ kind: "string", initial, ...(oneOf.length > 0 && { oneOf }) });
const flag = (initial: boolean): Leaf => ({ kind: "boolean", initial });
const whole = (initial: number, least = 1, most = 2 ** 31): Leaf => ({ kind: "integer", initial, least, most });
const real = (initial: number, least = 0, most = Infinity): Leaf => ({ kind: "number", initial, least, most });

const SCHEMA: Section = {
  data: {
    unlabelled_path: text("data/Dataset_Specific_Unlabelled.h5"),
    labelled_path: text("data/Dataset_Specific_labelled_full_only_for_2i.h5"),
    batch_size: whole(64),
    seed: whole(42, 0, 2 ** 32 - 1),
    augment: flag(true),
    norm_scale: real(255, 1e-30),
    shuffle: flag(true),
    max_train_images: whole(0, 0),
    num_workers: whole(4, 0),
    cache_dir: text("cache"),
    gpu_share: real(0.5, 0, 1),
    keys: { images: text(""), labels: text(""), mass: text(""), pt: text("") },
  },
  model: {
    in_channels: whole(PUBLISHED_MODEL.in_channels),
    img_size: whole(PUBLISHED_MODEL.img_size),
    patch_size: whole(PUBLISHED_MODEL.patch_size),
    embed_dim: whole(PUBLISHED_MODEL.embed_dim),
    depth: whole(PUBLISHED_MODEL.depth),
    num_heads: whole(PUBLISHED_MODEL.num_heads),
    mlp_ratio: real(PUBLISHED_MODEL.mlp_ratio, 1e-3),
    num_classes: whole(PUBLISHED_MODEL.num_classes, 2),
    dropout: real(PUBLISHED_MODEL.dropout, 0, 0.99),
    drop_path_rate: real(PUBLISHED_MODEL.drop_path_rate, 0, 0.99),
    lcm_kernel: whole(PUBLISHED_MODEL.lcm_kernel),
    denominator_floor: real(PUBLISHED_MODEL.denominator_floor, 1e-30),
    head_hidden: whole(PUBLISHED_MODEL.head_hidden, 0),
    projection_dim: whole(128),
  },
  augment: {
    flip_phi: flag(true),
    flip_eta: flag(true),
    roll: text("phi", "phi", "towers", "none"),
    max_towers: whole(2, 0),
    drop_channels_min: whole(1, 0),
    drop_channels_max: whole(2, 0),
    noise_probability: real(0.7, 0, 1),
    noise_sigma: real(0.02),
  },
  mae: {
    mask_ratio: real(0.75, 0, 0.99),
    decoder_embed_dim: whole(128),
    decoder_depth: whole(2),
    decoder_num_heads: whole(4),
  },
  training: {
    method: text("simclr", "simclr", "mae"),
    epochs: whole(50),
    lr: real(3e-4),
    backbone_lr: real(5e-5),
    head_lr: real(1e-4),
    weight_decay: real(0.01),
    warmup_epochs: whole(3, 0),
    patience: whole(15),
    temperature: real(0.5, 1e-6),
    lambda_cls: real(1),
    lambda_reg: real(1),
    clip_norm: real(1),
    max_steps: whole(0, 0),
    max_skipped_steps: whole(10, 1),
    checkpoint_minutes: real(10),
    recompute: text("none", "none", "blocks"),
    tune: text("auto", "off", "auto"),
  },
  output: { dir: text("runs/latest") },
  pretrained_weights: text(""),
};

/** Every key with its default. */
export function defaultConfig(): RunConfig {
  const fill = (section: Section): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(section).map(([key, entry]) => [key, isLeaf(entry) ? entry.initial : fill(entry)]),
    );
  return fill(SCHEMA) as unknown as RunConfig;
}

/**
 * Reads a configuration and applies overrides.
 *
 * @param yaml text of the file
 * @param source name of the file, for messages
 * @param overrides such as "training.epochs=2", later ones win
 * @throws {ConfigError} naming the key, what was expected and the nearest valid name
 */
export function parseConfig(yaml: string, source: string, overrides: readonly string[] = []): RunConfig {
  let tree: unknown;
  try {
    tree = parse(yaml) ?? {};
  } catch (error) {
    throw new ConfigError(`${source}: not valid YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const config = defaultConfig();
  apply(config as unknown as Record<string, unknown>, SCHEMA, tree, source, "");
  for (const override of overrides) {
    const [, path, value] = /^([\w.]+)=(.*)$/s.exec(override) ?? [];
    if (path === undefined || value === undefined) {
      throw new ConfigError(`--set ${override}: expected key=value, such as training.epochs=2`);
    }
    const nested = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), scalar(value));
    apply(config as unknown as Record<string, unknown>, SCHEMA, nested, `--set ${override}`, "");
  }
  checkTogether(config, source);
  return config;
}

/** A configuration as YAML. */
export function formatConfig(config: RunConfig): string {
  return stringify(config as unknown as Record<string, unknown>);
}

/** The keys of two configurations whose values differ, as "key: a -> b". */
export function differences(a: RunConfig, b: RunConfig, ignored: readonly string[] = []): string[] {
  const left = flatten(a), right = flatten(b);
  return [...left].filter(([key, value]) => right.get(key) !== value && !ignored.includes(key))
    .map(([key, value]) => `${key}: ${value} -> ${right.get(key)}`);
}

function flatten(config: unknown, prefix = ""): Map<string, unknown> {
  return new Map(
    Object.entries(config as Record<string, unknown>).flatMap(([key, value]) => {
      return typeof value === "object" ? [...flatten(value, `${prefix}${key}.`)] : [[prefix + key, value] as [string, unknown]];
    }),
  );
}

function isLeaf(entry: Leaf | Section): entry is Leaf {
  return typeof entry["kind"] === "string";
}

/** A value on the command line: numbers and booleans as in YAML, anything else as text. */
function scalar(value: string): unknown {
  if (value === "true" || value === "false") return value === "true";
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function apply(target: Record<string, unknown>, schema: Section, tree: unknown, source: string, prefix: string): void {
  if (typeof tree !== "object" || tree === null || Array.isArray(tree)) {
    throw new ConfigError(
      `${source}: ${prefix ? `"${prefix.slice(0, -1)}"` : "the file"} must hold keys and values: it is ${show(tree)}`,
    );
  }
  for (const [key, value] of Object.entries(tree)) {
    const entry = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (!entry) throw new ConfigError(unknownKey(source, prefix + key));
    if (isLeaf(entry)) target[key] = check(entry, value, `${source}: ${prefix}${key}`);
    // a section without keys is null in YAML
    else apply(target[key] as Record<string, unknown>, entry, value ?? {}, source, `${prefix}${key}.`);
  }
}

function check(leaf: Leaf, value: unknown, where: string): string | number | boolean {
  const { kind, oneOf } = leaf;
  const fail = (expected: string): never => {
    throw new ConfigError(`${where} must be ${expected}: it is ${show(value)}`);
  };
  if (kind === "string") {
    const given = value === null ? "" : value;
    if (typeof given !== "string") return fail("text");
    if (oneOf && !oneOf.includes(given)) return fail(`one of ${oneOf.join(", ")}`);
    return given;
  }
  if (kind === "boolean") return typeof value === "boolean" ? value : fail("true or false");
  const { least = -Infinity, most = Infinity } = leaf;
  if (typeof value !== "number" || !Number.isFinite(value)) return fail(kind === "integer" ? "a whole number" : "a number");
  if (kind === "integer" && !Number.isInteger(value)) return fail("a whole number");
  if (value < least) return fail(`at least ${least}`);
  if (value > most) return fail(`at most ${most}`);
  return value;
}

function checkTogether({ augment, mae }: RunConfig, source: string): void {
  if (mae.decoder_embed_dim % mae.decoder_num_heads !== 0) {
    throw new ConfigError(
      `${source}: mae.decoder_embed_dim must be a multiple of mae.decoder_num_heads: ` +
        `${mae.decoder_embed_dim} is not a multiple of ${mae.decoder_num_heads}`,
    );
  }
  if (augment.drop_channels_min > augment.drop_channels_max) {
    throw new ConfigError(
      `${source}: augment.drop_channels_min must not exceed augment.drop_channels_max: ` +
        `${augment.drop_channels_min} is more than ${augment.drop_channels_max}`,
    );
  }
}

/** A value in few words; YAML can make some that contain themselves. */
function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "keys and values";
  return shorten(JSON.stringify(value) ?? String(value));
}

function unknownKey(source: string, key: string): string {
  const known = [...flatten(defaultConfig()).keys()];
  const sections = known.flatMap((name) => name.split(".").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join(".")));
  const nearest = [...new Set([...known, ...sections])].toSorted((a, b) => distance(key, a) - distance(key, b))[0]!;
  return `${source}: unknown key "${shorten(key)}". Did you mean "${nearest}"?`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
