/** @file How many workgroups cover a tensor; kernels/lib/invocation.wgsl says which of it each computes. */

import type { Gpu } from "../../gpu/device.ts";
import type { NumberType } from "../../gpu/wgsl.ts";
import type { LaunchSplit } from "../launch.ts";

/** Invocations of a workgroup, unless a launch gives the kernel's WIDTH another value. */
const WIDTH = 64;

/**
 * Workgroups for a kernel that numbers its invocations.
 *
 * @param items invocations needed
 * @param width invocations of a workgroup
 */
export function workgroupsFor(items: number, width = WIDTH): number {
  return Math.ceil(items / width);
}

/**
 * Workgroups for a kernel whose invocations are cells of a table: each row takes its own.
 *
 * @param columns cells of a row
 * @param rows rows of the table
 * @param width invocations of a workgroup
 */
export function workgroupsForTable(columns: number, rows: number, width = WIDTH): number {
  return Math.ceil(columns / width) * rows;
}

/**
 * Turns of a loop, the one in which it ends included.
 *
 * @param count how often its body is done
 * @param inner turns of the loops in it
 */
export function turnsOf(count: number, inner = 0): number {
  return Math.ceil(count) * (1 + inner) + 1;
}

/**
 * How an elementwise launch is cut.
 *
 * @param units equal units of the tensors, such as images
 * @param cut names of the bindings
 * @param items invocations for all units
 */
export function elementwise(units: number, cut: readonly string[], items: number): LaunchSplit {
  return { units, cut, part: (_, count) => ({ workgroups: workgroupsFor(items / units * count) }) };
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
export function lanesFor({ gpu }: { readonly gpu: Gpu }, items: number): number {
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
 * Segments of a sum whose rows are bound in parts: each part has as many.
 *
 * @param segments wanted
 * @param images in all
 * @param atOnce images of a part
 * @param least segments of a part, at least
 * @returns segments in all, and of a part
 */
export function segmentsInParts(segments: number, images: number, atOnce: number, least = 1): [all: number, each: number] {
  const parts = Math.ceil(images / atOnce);
  const each = Math.max(least, Math.floor(segments / parts));
  return [parts * each, each];
}
