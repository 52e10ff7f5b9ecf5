/** @file How many workgroups cover a tensor. */

import type { NumberType } from "../../gpu/wgsl.ts";
import type { LaunchSplit, Tape } from "../tape.ts";

const MOST = 65535;

/**
 * Workgroups for one invocation an element, spread over x and y since one axis holds 65,535 at most.
 *
 * @param items invocations needed
 * @param width invocations in a workgroup
 */
export function linearGrid(items: number, width = 64): [number, number, number] {
  const groups = Math.ceil(items / width);
  const y = Math.ceil(groups / MOST);
  return [Math.ceil(groups / y), y, 1];
}

/**
 * How an elementwise launch is cut.
 *
 * @param units equal units of the tensors, such as images
 * @param cut names of the bindings
 * @param items invocations for all units
 */
export function elementwise(units: number, cut: readonly string[], items: number): LaunchSplit {
  return { units, cut, part: (_, count) => ({ workgroups: linearGrid(items / units * count) }) };
}

/** How a kernel goes along an axis. */
export interface Numbers {
  /** What it works on at once. */
  readonly Number: NumberType;
  /** True if that are four, as kernels with kernels/lib/number.wgsl have to be told too. */
  readonly QUADS: boolean;
  /** How many of it there are. */
  readonly count: number;
}

/**
 * The widest type with which a kernel can go along an axis, and how many of it there are.
 *
 * @param length elements of the axis (or of the whole tensor, for elementwise kernels)
 */
export function numbersIn(length: number): Numbers {
  const QUADS = length % 4 === 0;
  return QUADS ? { Number: "vec4<f32>", QUADS, count: length / 4 } : { Number: "f32", QUADS, count: length };
}

/**
 * Invocations of a workgroup that lie along an axis of so many items: no more than there are items, in steps of
 * the adapter's vector width, since idle ones cost a software adapter as much as busy ones.
 */
export function lanesFor({ gpu }: Pick<Tape, "gpu">, items: number): number {
  return gpu.adapter.software ? Math.min(64, 8 * Math.ceil(items / 8)) : 64;
}

/**
 * Segments into which a sum over many rows is cut, for enough invocations to keep an adapter busy.
 *
 * @param rows rows to be summed
 * @param columns invocations that one segment takes
 */
export function segmentsFor(rows: number, columns: number): number {
  const wanted = Math.ceil(16384 / columns);
  return Math.max(1, Math.min(wanted, Math.ceil(rows / 32), 256));
}

/**
 * Segments of a sum whose rows are bound in parts: each part has as many, at least one.
 *
 * @param segments wanted
 * @param images in all
 * @param atOnce images of a part
 * @returns segments in all, and of a part
 */
export function segmentsInParts(segments: number, images: number, atOnce: number): [all: number, each: number] {
  const parts = Math.ceil(images / atOnce);
  const each = Math.max(1, Math.floor(segments / parts));
  return [parts * each, each];
}
