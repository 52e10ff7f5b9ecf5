/**
 * @file Targets and their scales in the metadata of a weight file. Of the mass alone they are mass_mean, mass_std and mass_log, as in files of the
 * PyTorch project; of any others a list under targets.
 */

import { isMassAlone, listTargets, type Target } from "../data/targets.ts";
import { shorten } from "../format.ts";
import { isRecord } from "../io/json.ts";
import { type ScaledTarget, UNKNOWN_MASS } from "./target_scale.ts";

/** Which numbers of a scale are known. */
export interface KnownScale {
  readonly mean: boolean;
  readonly std: boolean;
}

/** Targets as metadata, without what is not known of their scales. */
export function encodeTargets(targets: readonly ScaledTarget[], known: KnownScale): Record<string, string> {
  if (isMassAlone(targets)) {
    const { mean, std, log } = targets[0]!;
    return {
      ...(known.mean && { mass_mean: String(mean) }),
      ...(known.std && { mass_std: String(std) }),
      ...(log && { mass_log: "true" }),
    };
  }
  const isKnown = known.mean && known.std;
  return {
    targets: JSON.stringify(targets.map(({ name, unit, mean, std, log }) => ({ name, unit, ...(isKnown && { mean, std }), log }))),
  };
}

/**
 * Targets out of metadata: the mass alone, or a list. Those of a file that does not name several are called target_0 and so on. What is
 * not known of a scale is that of the head itself.
 *
 * @param count how many outputs the head has
 * @param numberOf a number of the metadata; undefined if there is none
 * @throws {Error} if they are others than the head has, or none at all
 */
export function decodeTargets(
  metadata: Readonly<Record<string, string>>,
  count: number,
  numberOf: (key: "mass_mean" | "mass_std") => number | undefined,
): { targets: readonly ScaledTarget[]; known: KnownScale } {
  const { targets: text } = metadata;
  if (text === undefined && count === 1) {
    const mean = numberOf("mass_mean"), std = numberOf("mass_std"), log = metadata["mass_log"] === "true";
    const mass = { ...UNKNOWN_MASS, ...(mean !== undefined && { mean }), ...(std !== undefined && { std }), log };
    return { targets: [mass], known: { mean: mean !== undefined, std: std !== undefined } };
  }
  const list: Listed[] = text === undefined ? Array.from({ length: count }, (_, t) => ({ name: `target_${t}` })) : listOf(text);
  if (list.length !== count) throw new Error(`its metadata name ${list.length} targets, and its tensors give ${count}`);
  const known = list.every(({ mean, std }) => mean !== undefined && std !== undefined);
  return {
    targets: list.map((target) => ({ ...UNKNOWN_MASS, unit: "", ...target })),
    known: { mean: known, std: known },
  };
}

/** Targets that metadata name, if they are not the mass alone. */
export function namedTargets({ targets }: Readonly<Record<string, string>>): readonly Target[] | undefined {
  return targets === undefined ? undefined : listOf(targets).map(({ name, unit = "" }) => ({ name, unit }));
}

type Listed = Pick<ScaledTarget, "name"> & Partial<ScaledTarget>;

function listOf(text: string): Listed[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // said below
  }
  if (Array.isArray(list) && list.length > 0 && list.every(isTarget)) return list;
  throw new Error(`its metadata hold no targets under targets: ${shorten(text)}`);
}

function isTarget(value: unknown): value is Listed {
  if (!isRecord(value)) return false;
  const { name, unit = "", mean = 0, std = 1, log = false } = value;
  return typeof name === "string" && name !== "" && typeof unit === "string" && Number.isFinite(mean) && Number.isFinite(std) &&
    (std as number) > 0 && typeof log === "boolean";
}

/** The scales of targets in words. */
export function describeScales(targets: readonly ScaledTarget[]): string {
  return targets.map(({ name, unit, mean, std, log }) => {
    return `${listTargets([{ name, unit }])}${log ? " as logarithms" : ""}: mean ${mean}, deviation ${std}`;
  }).join("; ");
}
