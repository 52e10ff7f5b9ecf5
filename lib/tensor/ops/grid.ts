/** @file How many workgroups cover a tensor; kernels/lib/invocation.wgsl says which of it each computes. */

import { vectorOf } from "../../gpu/adapter.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import type { NumberType } from "../../gpu/wgsl.ts";
import type { Bindings, Extent, Launch } from "../launch.ts";
import { rowsAndColumns, sizeOf, type Tensor } from "../tensor.ts";

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
 * Workgroups for a kernel whose invocations are cells of a table: each row takes its own, or as many rows as fit one.
 *
 * @param columns cells of a row
 * @param rows rows of the table
 * @param width invocations of a workgroup
 */
export function workgroupsForTable(columns: number, rows: number, width = WIDTH): number {
  return Math.ceil(columns / width) * Math.ceil(rows / Math.max(1, Math.floor(width / columns)));
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
 * The launch of an elementwise kernel: an invocation for each number, or each four, of tensors of one shape.
 *
 * @param tensors by the names of bindings, the one that is written last
 * @param dims what else the kernel reads
 */
export function elementwise(kernel: Kernel, entry: string, tensors: Bindings, dims: Required<Extent>["dims"] = {}): Launch {
  const last = Object.values(tensors).at(-1)!, { shape, storage: { label } } = last;
  const units = shape[0]!;
  // what is kept of active tokens is as long as they are
  const { type, count } = numbersOf(Object.values(tensors).find((x) => x.tokens) ?? last);
  return {
    kernel,
    entry,
    label,
    constants: { Number: type },
    units,
    cut: tensors,
    extent: (range) => ({ dims, workgroups: workgroupsFor(count * range.count / units) }),
  };
}

/** How a kernel goes along an axis. */
export interface Numbers {
  /** What it works on at once: the kernel's alias Number. */
  readonly type: NumberType;
  /** True if that are four, as kernels with kernels/lib/number.wgsl have to be told too. */
  readonly quads: boolean;
  /** How many of it there are. */
  readonly count: number;
}

/**
 * The widest type with which a kernel can go along an axis, and how many of it there are.
 *
 * @param length elements of the axis (or of the whole tensor, for elementwise kernels)
 */
export function numbersIn(length: number): Numbers {
  const quads = length % 4 === 0;
  return quads ? { type: "vec4<f32>", quads, count: length / 4 } : { type: "f32", quads, count: length };
}

/** The widest type with which an elementwise kernel can go through a tensor; of active tokens it takes whole rows. */
function numbersOf({ shape, tokens }: Tensor): Numbers {
  if (!tokens) return numbersIn(sizeOf(shape));
  const [rows, columns] = rowsAndColumns(shape), numbers = numbersIn(columns);
  return { ...numbers, count: rows * numbers.count };
}

/**
 * Invocations of a workgroup that lie along an axis of so many items: no more than there are items, in steps of
 * the adapter's vector width, since idle ones cost a software adapter as much as busy ones.
 */
export function lanesFor({ gpu: { adapter } }: { readonly gpu: Gpu }, items: number): number {
  if (!adapter.software) return 64;
  const vector = vectorOf(adapter);
  return Math.min(64, vector * Math.ceil(items / vector));
}

/**
 * Segments into which a sum over many rows is cut, for enough invocations to keep an adapter busy: on a large GPU, those that have
 * half of a megabyte on its way from memory reach no more than a fourth of its rate.
 *
 * @param rows rows to be summed
 * @param columns invocations that one segment takes
 */
export function segmentsFor({ gpu: { adapter } }: { readonly gpu: Gpu }, rows: number, columns: number): number {
  const [invocations, most] = adapter.software ? [16384, 256] : [32768, 512];
  return Math.max(1, Math.min(Math.ceil(invocations / columns), Math.ceil(rows / 32), most));
}

/**
 * Segments of a sum over units that are bound range by range: each range has as many.
 *
 * @param segments wanted
 * @param units in all
 * @param atOnce units of a range
 * @param least segments of a range, at least
 * @returns segments in all, and of a range
 */
export function segmentsOfRanges(segments: number, units: number, atOnce: number, least = 1): [all: number, each: number] {
  const ranges = Math.ceil(units / atOnce);
  const each = Math.max(least, Math.floor(segments / ranges));
  return [ranges * each, each];
}
