/**
 * @file What a weight file says about its model beside the tensors, as text by key, and what has to be assumed where it does not.
 *
 * A number that is assumed is used like one that is known, so every task that computes with it names it. It is never written: a
 * copy of a file knows no more than the file.
 */

import { KEYS } from "../config/keys.ts";
import { type Key, real } from "../config/schema.ts";
import { parseTrainedOn, type TrainedOn } from "../data/provenance.ts";
import { LARGEST_MASS } from "../data/statistics.ts";
import { isMassAlone, type Target } from "../data/targets.ts";
import { shorten } from "../format.ts";
import { isRecord } from "../io/json.ts";
import { gridOf, type ModelConfig } from "../nn/config.ts";
import { type Head, HEADS } from "../nn/heads.ts";
import type { PixelScale, Transform } from "../tensor/ops/images.ts";
import { parseHistory } from "./history.ts";
import { inferModel, type KnownModel } from "./infer_model.ts";
import { decodeTargets, describeScales, encodeTargets } from "./target_info.ts";
import { type ScaledTarget, UNKNOWN_MASS } from "./target_scale.ts";

/**
 * Raised when the meaning of a key changes. Version 1 did not say what the weights were trained on; before version 3 images were
 * only divided, masses never logarithms, data never parts of a cross-validation, and all tokens computed; before version 4 the mass was
 * the one target. Files for which that holds are still written as the earlier version.
 */
const VERSION = 4;

/** What a weight file says about itself beside its tensors. */
export interface WeightsInfo extends Required<PixelScale> {
  /** Model that the tensors belong to. */
  readonly model: ModelConfig;
  /** What the second head predicts, and on which scale: the mass, or what a configuration names. */
  readonly targets: readonly ScaledTarget[];
  /** Data that the weights were trained on, the last ones last; none are known of weights that others wrote. */
  readonly trainedOn: readonly TrainedOn[];
  /** Curves of the training run, by name. */
  readonly history: Readonly<Record<string, readonly number[]>>;
  /** Which of these numbers the file does not tell. */
  readonly assumed: readonly Assumable[];
  /** Heads that took no part in the last training: what they give is chance. */
  readonly untrained: readonly Head[];
}

/** A number that a file may not tell, by the key that sets it. */
export type Assumable = "mass_mean" | "mass_std" | "data.norm_scale" | "model.img_size" | "model.denominator_floor";

/** What turns the mass head's output into GeV. */
export const MASS_SCALE: readonly Assumable[] = ["mass_mean", "mass_std"];

/** What these numbers may be, and what they are if nobody says. */
export const ASSUMABLE: Readonly<Record<Assumable, Key<number>>> = {
  "mass_mean": real(0, "mean of the masses trained on", { unit: "GeV", least: -LARGEST_MASS, most: LARGEST_MASS }),
  "mass_std": real(1, "deviation of the masses trained on", { unit: "GeV", least: 1e-30, most: LARGEST_MASS }),
  "data.norm_scale": KEYS.data.norm_scale,
  "model.img_size": KEYS.model.img_size,
  "model.denominator_floor": KEYS.model.denominator_floor,
};

/** Keys of a model that its tensors do not tell. */
const KNOWN_OF_MODEL = [
  "img_size",
  "denominator_floor",
  "dropout",
  "drop_path_rate",
  "tokens",
  "lcm",
] as const satisfies (keyof KnownModel)[];

/** What holds of a backbone that was trained without heads. */
export const NO_HEADS: Pick<WeightsInfo, "targets" | "assumed" | "untrained"> = {
  targets: [UNKNOWN_MASS],
  assumed: MASS_SCALE,
  untrained: predicted(),
};

/** What is known, as metadata of a weight file. */
export function encodeInfo(info: WeightsInfo): Record<string, string> {
  const { targets, normScale, transform, trainedOn, history, assumed, untrained } = info;
  const known = (key: Assumable) => !assumed.includes(key);
  const model = Object.entries(info.model).filter(([key]) => !assumed.some((name) => name === `model.${key}`));
  return {
    format: "l2vit",
    version: versionOf(info),
    model: JSON.stringify(Object.fromEntries(model)),
    ...encodeTargets(targets, { mean: known("mass_mean"), std: known("mass_std") }),
    ...(known("data.norm_scale") && { norm_scale: String(normScale) }),
    ...(transform !== "linear" && { transform }),
    trained_on: JSON.stringify(trainedOn),
    ...(untrained.length > 0 && { untrained: untrained.join(",") }),
    history: JSON.stringify(history),
  };
}

/** The earliest version that says all of this. */
function versionOf({ model, targets, transform, trainedOn }: WeightsInfo): string {
  if (!isMassAlone(targets)) return "4";
  const isOlder = model.tokens === "all" && !targets[0]!.log && transform === "linear" &&
    trainedOn.every(({ fold, testPath }) => !(fold ?? testPath));
  return isOlder ? "2" : "3";
}

/**
 * What a weight file says, and what its tensors tell.
 *
 * @param shapes shape of each tensor by name
 * @throws {Error} naming the key or the tensor that is wrong
 */
export function decodeInfo(
  metadata: Readonly<Record<string, string>>,
  shapes: ReadonlyMap<string, readonly number[]>,
): WeightsInfo {
  const { version = "1" } = metadata;
  if (Number(version) > VERSION) {
    throw new Error(`it is of version ${shorten(version)}, and this program knows those up to ${VERSION}: use a newer program`);
  }
  const known = knownModel(metadata["model"]);
  const sizes = inferModel(shapes);
  const fits = known.img_size !== undefined && gridOf({ ...sizes, img_size: known.img_size }) === gridOf(sizes);
  const model = { ...sizes, ...known, img_size: fits ? known.img_size! : sizes.img_size };
  const { targets, known: scale } = decodeTargets(
    metadata,
    model.num_targets ?? 1,
    (key) => numberOf(metadata, key, ASSUMABLE[key]),
  );
  const normScale = numberOf(metadata, "norm_scale", ASSUMABLE["data.norm_scale"]);
  const isTold: Readonly<Record<Assumable, boolean>> = {
    "mass_mean": scale.mean,
    "mass_std": scale.std,
    "data.norm_scale": normScale !== undefined,
    "model.img_size": fits || sizes.patch_size === 1,
    "model.denominator_floor": known.denominator_floor !== undefined,
  };
  const trainedOn = parseTrainedOn(metadata["trained_on"]);
  return {
    model,
    targets,
    transform: transformOf(metadata["transform"]),
    normScale: normScale ?? ASSUMABLE["data.norm_scale"].initial,
    trainedOn,
    untrained: untrainedOf(metadata["untrained"], trainedOn),
    history: parseHistory(metadata["history"] ?? "{}"),
    assumed: (Object.keys(isTold) as Assumable[]).filter((key) => !isTold[key]),
  };
}

function transformOf(text = "linear"): Transform {
  if (text === "linear" || text === "log1p" || text === "sqrt") return text;
  throw new Error(`its metadata say transform = ${JSON.stringify(shorten(text))}, which is none that this program knows`);
}

/** What all heads predict. */
function predicted(): Head[] {
  return Object.values(HEADS).map(({ predicts }) => predicts);
}

/** Heads that took no part in the last training; without labels neither did. */
function untrainedOf(text: string | undefined, trainedOn: readonly TrainedOn[]): readonly Head[] {
  if (trainedOn.at(-1)?.labels === null) return predicted();
  return predicted().filter((head) => text?.split(",").includes(head));
}

/** What a head that took no part in training gives, in one line; undefined if there is none. */
export function describeUntrained(
  { path, untrained, targets }: Pick<WeightsInfo, "untrained"> & { readonly targets: readonly Target[]; readonly path: string },
): string | undefined {
  if (untrained.length === 0) return undefined;
  if (untrained.length > 1) {
    return `${path}: this is a backbone from pretraining, whose heads for class and mass were never trained`;
  }
  const head = Object.values(HEADS).find(({ predicts }) => predicts === untrained[0])!;
  const without = head.predicts === "classes" || isMassAlone(targets)
    ? head.predicts
    : targets.map(({ name }) => name).join(" and ");
  return `${path} was trained without ${without} (training.${head.lossWeight} was 0): those that it predicts say nothing`;
}

/**
 * The numbers that are assumed, in one line; undefined if there are none.
 *
 * @param ignored numbers that nothing is computed with
 */
export function describeAssumed(
  info: WeightsInfo & { readonly path: string },
  ignored: readonly Assumable[] = [],
): string | undefined {
  const keys = info.assumed.filter((key) => !ignored.includes(key));
  if (keys.length === 0) return undefined;
  const isMass = isMassAlone(info.targets),
    numbers = assumable(info),
    scale = isMass ? [] : keys.filter((key) => MASS_SCALE.includes(key));
  const values = keys.filter((key) => !scale.includes(key)).map((key) => `${key} ${numbers[key]}`);
  const all = [...(scale.length > 0 ? [describeScales(info.targets)] : []), ...(values.length > 0 ? [values.join(", ")] : [])].join(
    "; ",
  );
  const units = isMass && keys.includes("mass_std") ? "; masses are in units of the training masses' deviation, not in GeV" : "";
  return `Assumed, since ${info.path} does not clearly say: ${all}${units}`;
}

/** The numbers that a file may not tell and this one does, as "key value, key value". */
export function describeKnown(info: WeightsInfo): string {
  const isMass = isMassAlone(info.targets), isScale = (key: string) => MASS_SCALE.some((name) => name === key);
  const known = Object.entries(assumable(info)).filter(([key]) => {
    return !info.assumed.some((name) => name === key) && (isMass || !isScale(key));
  });
  const others = [
    ...(isMass ? [] : [describeScales(info.targets)]),
    ...(info.transform === "linear" ? [] : [`data.transform ${info.transform}`]),
    ...(info.model.tokens === "active" ? [`model.tokens active`, `model.lcm ${info.model.lcm}`] : []),
    ...(isMass && info.targets[0]!.log ? ["masses as logarithms"] : []),
  ];
  return [...known.map(([key, value]) => `${key} ${value}`), ...others].join(", ");
}

function assumable({ targets: [first], normScale, model }: WeightsInfo): Record<Assumable, number> {
  return {
    "mass_mean": first!.mean,
    "mass_std": first!.std,
    "data.norm_scale": normScale,
    "model.img_size": model.img_size,
    "model.denominator_floor": model.denominator_floor,
  };
}

/** A number of the metadata; undefined if there is none, or Python's None. */
function numberOf(metadata: Readonly<Record<string, string>>, name: string, key: Key<number>): number | undefined {
  const text = metadata[name]?.trim();
  if (text === undefined || ["", "None", "null"].includes(text)) return undefined;
  // a list of one number, as Python prints it
  const value = Number(/^[[(](.*?),?[\])]$/.exec(text)?.[1] ?? text);
  const expected = key.refuses(value);
  if (expected !== undefined) throw new Error(`its metadata say ${name} = ${shorten(text)}, which must be ${expected}`);
  return value;
}

/** What the metadata say of the model that shapes do not tell. */
function knownModel(text: string | undefined): KnownModel {
  if (text === undefined) return {};
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    // said below
  }
  if (!isRecord(values)) throw new Error("its metadata hold no configuration under model");
  const known: Record<string, unknown> = {};
  for (const key of KNOWN_OF_MODEL) {
    const value = values[key];
    if (value === undefined || value === null) continue;
    const expected = KEYS.model[key].refuses(value);
    if (expected !== undefined) {
      throw new Error(`its metadata say model.${key} = ${shorten(JSON.stringify(value))}, which must be ${expected}`);
    }
    known[key] = value;
  }
  return known;
}
