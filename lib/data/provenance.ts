/**
 * @file Where weights come from: which images they were trained on, so that a run goes on with the same ones, and so that
 * nobody takes them for images that a model has not seen.
 *
 * Images are known by their contents: neither the path, nor the time, nor the storage of their file counts.
 */

import { checksum } from "./entries.ts";
import { sha256 } from "./fingerprint.ts";
import type { JetNames } from "./jets.ts";
import type { TargetValues } from "./targets.ts";

/** A data set that weights were trained on, and how it was divided. */
export interface TrainedOn {
  /** The file, as the configuration names it. */
  readonly path: string;
  /** Names of its datasets, where they were given. */
  readonly keys: JetNames;
  /** Classes by patterns of file names, where those say them. */
  readonly classOf?: string;
  /** Number of images in it. */
  readonly images: number;
  /** SHA-256 over the check sums of all images, in their order. */
  readonly fingerprint: string;
  /** Check sums of images trained or validated on, to find them in other files, see {@linkcode readChecks}; earlier versions had none. */
  readonly checks?: string;
  /** Hash of classes and masses, see {@linkcode labelsFingerprint}; null if they were not used. */
  readonly labels: string | null;
  /** "stratified" as scikit-learn does it, or "random" for images without labels. */
  readonly split: "stratified" | "random";
  /** Seed of the split. */
  readonly seed: number;
  /** Which of how many parts of a cross-validation was for testing, counted from 0; none if it was none. */
  readonly fold?: readonly [fold: number, folds: number];
  /** Where the images for testing are, if none of these are. */
  readonly testPath?: string;
  /** Images trained on, those of weight 0 among them. */
  readonly train: number;
  /** Images validated on. */
  readonly val: number;
  /** Images left for testing. */
  readonly test: number;
}

/** Check sums that weights keep: of more, those of the smallest value, which are the same images in every file. */
const MOST_CHECKS = 65_536;
/** The check sum of an image without any value: all of those are alike. */
const EMPTY = checksum(new Uint32Array(0));

/**
 * What images are known by, however they are stored.
 *
 * @param checks check sum of each image's words
 * @param parts numbers of the images that are trained or validated on
 */
export async function hashImages(
  checks: Uint32Array,
  { train, val }: Readonly<Record<"train" | "val", Uint32Array>>,
): Promise<Required<Pick<TrainedOn, "fingerprint" | "checks">>> {
  const used = new Set([train, val].flatMap((part) => Array.from(part, (image) => checks[image]!)));
  used.delete(EMPTY);
  const kept = Uint32Array.from(used).sort().slice(0, MOST_CHECKS);
  return { fingerprint: await hash(checks), checks: new Uint8Array(kept.buffer).toBase64() };
}

/** The check sums that weights keep of the images that they were trained on. */
export function readChecks({ checks = "" }: TrainedOn): Set<number> {
  return new Set(new Uint32Array(Uint8Array.fromBase64(checks).buffer));
}

/** SHA-256 over the class of each image, then over each target of all, such as the mass, then over the weight of each, if they have weights. */
export function labelsFingerprint(
  labels: Float64Array,
  targets: readonly Pick<TargetValues, "values">[],
  weights?: Float64Array,
): Promise<string> {
  return hash(labels, ...targets.map(({ values }) => Float64Array.from(values)), ...(weights ? [weights] : []));
}

/**
 * What differs between the data that a run began with and those it is to go on with, in words; undefined if nothing does.
 *
 * @param begun as in the checkpoint
 * @param now as in the files of today
 */
export function differentData(begun: TrainedOn, now: TrainedOn): string | undefined {
  if (begun.images !== now.images) return `it has ${now.images} images and had ${begun.images}`;
  if (begun.labels !== now.labels) return "its classes or masses are others";
  if (begun.fingerprint !== now.fingerprint) return "its images are others";
  const parts = (of: TrainedOn) => `${of.train} training, ${of.val} validation and ${of.test} test images`;
  return parts(begun) === parts(now) ? undefined : `it is divided into ${parts(now)}, and was into ${parts(begun)}`;
}

/**
 * Reads what the metadata of a weight file or of a checkpoint say about its data.
 *
 * @param text JSON; absent in files that others wrote
 * @throws {Error} if it is not in the form in which it is written
 */
export function parseTrainedOn(text: string | undefined): TrainedOn[] {
  const list: unknown = JSON.parse(text ?? "[]");
  if (Array.isArray(list) && list.every(isTrainedOn)) return list;
  throw new Error("its metadata do not say what it was trained on under trained_on");
}

function isTrainedOn(value: unknown): value is TrainedOn {
  if (typeof value !== "object" || value === null) return false;
  const { path, keys, classOf = "", testPath = "", images, fingerprint, checks, labels, split, seed, fold, train, val, test } =
    value as Record<string, unknown>;
  return typeof path === "string" && typeof keys === "object" && keys !== null &&
    Object.values(keys).every((name) => typeof name === "string") &&
    [images, seed, train, val, test].every((n) => Number.isSafeInteger(n) && (n as number) >= 0) &&
    typeof classOf === "string" && typeof testPath === "string" && typeof fingerprint === "string" &&
    (checks === undefined || isChecks(checks)) &&
    (labels === null || typeof labels === "string") &&
    (split === "stratified" || split === "random") &&
    (fold === undefined || (Array.isArray(fold) && fold.length === 2 && fold.every(Number.isSafeInteger)));
}

function isChecks(value: unknown): boolean {
  try {
    return typeof value === "string" && Uint8Array.fromBase64(value).length % Uint32Array.BYTES_PER_ELEMENT === 0;
  } catch {
    return false;
  }
}

function hash(...lists: (Uint32Array | Float64Array)[]): Promise<string> {
  return sha256(...lists as (Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>)[]);
}
