/**
 * @file Targets and their scales in the metadata of a weight file. Of the mass alone they are mass_mean, mass_std and mass_log, as in files of the
 * PyTorch project; of any others a list under targets.
 */

import { isMassAlone, listTargets, type Target } from "../data/targets.ts";
import { shorten } from "../format.ts";
import { isRecord } from "../io/json.ts";
import type { ScaledTarget } from "./target_scale.ts";

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
 * Targets out of metadata, whose scale is undefined where it is not known. Those of a file that does not name several are called target_0 and so on.
 *
 * @param count how many outputs the head has
 * @returns undefined for the mass alone
 * @throws {Error} if they are others than the head has, or none at all
 */
export function decodeTargets(
  metadata: Readonly<Record<string, string>>,
  count: number,
): { targets: readonly ScaledTarget[]; known: boolean } | undefined {
  const { targets: text } = metadata;
  if (text === undefined && count === 1) return undefined;
  const unnamed = Array.from({ length: count }, (_, t) => ({ name: `target_${t}` }));
  const list: Listed[] = text === undefined ? unnamed : listOf(text);
  if (list.length !== count) throw new Error(`its metadata name ${list.length} targets, and its tensors give ${count}`);
  const targets = list.map((target) => ({ unit: "", mean: 0, std: 1, log: false, ...target }));
  return { targets, known: list.every(({ mean, std }) => mean !== undefined && std !== undefined) };
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
