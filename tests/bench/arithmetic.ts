/**
 * @file Where a training step would go on a GPU that is not at hand: what each of its kernels computes and moves, by arithmetic, and how
 * long that takes at least at the peak rates of the GPU.
 *
 * Plans of two small batches are made, with the kernels for GPUs, and not run: what differs between them is in proportion to the batch.
 */

import { mostActivePatches } from "../../lib/data/active_patches.ts";
import { PackedImages } from "../../lib/data/packed.ts";
import { CHANNELS, SIZE } from "../../lib/data/synth/detector.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { boundAs, type Dispatch } from "../../lib/gpu/dispatch.ts";
import { Pretraining } from "../../lib/train/pretraining.ts";
import { simclr } from "../../lib/train/simclr.ts";
import { configFor, flopOf, jets, kernelName, type Tokens } from "./steps.ts";

/** Peak rates of a GPU. */
export interface Peak {
  /** What it is. */
  readonly name: string;
  /** Multiplications and additions of f32 a second, without matrix units. */
  readonly flops: number;
  /** Bytes a second to and from its memory. */
  readonly bytes: number;
  /** Operations on 32-bit integers a second. */
  readonly integers: number;
}

/** By the sheets of their makers. */
export const PEAKS: Readonly<Record<string, Peak>> = {
  h100: { name: "H100 SXM", flops: 67e12, bytes: 3.35e12, integers: 16.7e12 },
  m2: { name: "Apple M2, 10 cores", flops: 3.6e12, bytes: 100e9, integers: 1.8e12 },
  rtx3060: { name: "RTX 3060", flops: 12.7e12, bytes: 360e9, integers: 6.4e12 },
};

/** What a kernel does in a step. */
export interface KernelWork {
  /** Its name, with its switches. */
  readonly kernel: string;
  /** Launches. */
  readonly calls: number;
  /** Multiplications and additions, where it does many for each value that it loads. */
  readonly flop: number;
  /** Bytes of everything that it binds, each read or written once. */
  readonly bytes: number;
  /** Operations on integers that random numbers take. */
  readonly integers: number;
}

/** Operations of a call of philox() in kernels/lib/philox.wgsl: ten rounds of two wide products, four xor and two additions. */
const PHILOX = 10 * (2 * 15 + 6);
/** Images of the plans that are made: as many as fill the segments of all sums. */
const FEW = 14, MORE = 18;
/** Generated jets. */
const COUNT = 20;

/** What a SimCLR step of the published model takes. */
export async function simclrWork(tokens: Tokens, batch: number): Promise<KernelWork[]> {
  const layout = { channels: CHANNELS, size: SIZE }, perImage = SIZE * SIZE * CHANNELS, pixels = jets(COUNT);
  const packed = (first: number, last: number) =>
    PackedImages.fromDense(pixels.subarray(first * perImage, last * perImage), layout);
  const { model: { patch_size: patch } } = configFor("full", FEW, tokens);
  const most = await mostActivePatches(packed(0, COUNT), patch, "phi");
  const each = await Promise.all(Array.from({ length: COUNT }, (_, i) => mostActivePatches(packed(i, i + 1), patch, "none")));
  const share = each.reduce((sum, n) => sum + n, 0) / COUNT / most;
  const workFor = async (images: number) => {
    const config = configFor("full", images, tokens);
    using gpu = await Gpu.open({ software: false, subgroup: [32, 32] });
    const numbers = Uint32Array.from({ length: COUNT }, (_, i) => i);
    const data = { images: packed(0, COUNT), active: { patch, most }, split: { train: numbers, val: numbers.subarray(0, 2) } };
    using method = new Pretraining(gpu, config, data, new Map(), simclr(config));
    return workOf(method.plan.dispatches, share);
  };
  const few = await workFor(FEW), more = await workFor(MORE);
  return Array.from(few, ([kernel, work]) => {
    const other = more.get(kernel) ?? work;
    const at = (name: "flop" | "bytes" | "integers") => work[name] + (other[name] - work[name]) / (MORE - FEW) * (batch - FEW);
    return { kernel, calls: work.calls, flop: at("flop"), bytes: at("bytes"), integers: at("integers") };
  });
}

/** How long a kernel takes at least, in seconds, and what makes it so. */
export function boundOf({ flop, bytes, integers }: KernelWork, peak: Peak): readonly [seconds: number, by: string] {
  const times = [[flop / peak.flops, "FLOP"], [bytes / peak.bytes, "bytes"], [integers / peak.integers, "integers"]] as const;
  return times.reduce<readonly [number, string]>((longest, next) => next[0] > longest[0] ? next : longest, [0, ""]);
}

/** @param share of the rows of active tokens that are in use */
function workOf(dispatches: readonly Dispatch[], share: number): Map<string, KernelWork> {
  const groups = Map.groupBy(dispatches, kernelName);
  return new Map(Array.from(groups, ([kernel, calls]) => {
    const sum = (of: (dispatch: Dispatch) => number) => calls.reduce((all, dispatch) => all + of(dispatch), 0);
    const used = ({ constants }: Dispatch) => constants["ACTIVE"] ? share : 1;
    return [kernel, {
      kernel,
      calls: calls.length,
      flop: sum((dispatch) => used(dispatch) * flopOf(dispatch)),
      bytes: sum(({ bindings }) => Object.values(bindings).reduce((all, x) => all + x.bytes * (x.ofTokens ? share : 1), 0)),
      integers: sum((dispatch) => used(dispatch) * PHILOX * draws(dispatch)),
    }];
  }));
}

/** Draws of dropout and drop path: both are for four elements at a time. */
function draws(dispatch: Dispatch): number {
  const each = ["DROP_ELEMENTS", "DROP_PATHS"].filter((name) => dispatch.constants[name] === true).length;
  return each * Math.max(...boundAs("read_write", dispatch).map(([, { bytes }]) => bytes)) / 16;
}
