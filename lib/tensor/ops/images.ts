/** @file From packed non-zeros to the augmented patches that the model reads. */

import imagesSource from "../../../kernels/images.wgsl" with { type: "text" };
import philoxSource from "../../../kernels/lib/philox.wgsl" with { type: "text" };
import stepSource from "../../../kernels/lib/step.wgsl" with { type: "text" };
import { type Encoding, WORDS_PER_ENTRY } from "../../data/entries.ts";
import type { Launch, Tape } from "../tape.ts";
import { type PlacedTensor, sizeOf, type Tensor } from "../tensor.ts";
import { elementwise, linearGrid, numbersIn } from "./grid.ts";

const KERNEL = { name: "images", source: imagesSource + philoxSource + stepSource };

/** Sizes of the images and of the patches they are cut into. */
export interface ImageLayout {
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
}

/** A packed batch on the adapter. */
export interface PackedTensors {
  /** (B, 2) u32: first word of each image, and the first after it. */
  readonly ranges: PlacedTensor;
  /** (W) u32: entries, see lib/data/entries.ts. */
  readonly words: PlacedTensor;
  /** How entries are stored. */
  readonly encoding: Encoding;
  /** Most words that one image of the data set has. */
  readonly mostPerImage: number;
}

/** What may be done to a view of an image. */
export interface Augmentation {
  /** Mirror eta with probability 1/2. */
  readonly flipEta: boolean;
  /** Mirror phi with probability 1/2. */
  readonly flipPhi: boolean;
  /** "phi": cyclic along phi by any number of pixels; "towers": by up to maxTowers patches along both axes, not cyclic. */
  readonly roll: "none" | "phi" | "towers";
  /** Largest shift of roll "towers", in patches. */
  readonly maxTowers: number;
  /** Fewest and most channels set to zero. */
  readonly dropChannels: readonly [number, number];
  /** Probability of noise on a view. */
  readonly noiseProbability: number;
  /** Standard deviation of the noise, in units of the scaled values. */
  readonly noiseSigma: number;
}

/** Leaves images as they are. */
export const NO_AUGMENTATION: Augmentation = {
  flipEta: false,
  flipPhi: false,
  roll: "none",
  maxTowers: 0,
  dropChannels: [0, 0],
  noiseProbability: 0,
  noiseSigma: 0,
};

/**
 * Unpacks a batch into patches, each view with draws of its own.
 *
 * @param packed B images
 * @param layout their sizes
 * @param scale values are divided by it
 * @param views outputs per image: 1, or 2 for SimCLR
 * @param draws receives what was drawn, (views * B, 4) u32; a new tensor by default
 * @returns (views * B, tokens, channels * patch * patch), the first views of all images first
 */
export function imagePatches(
  tape: Tape,
  packed: PackedTensors,
  layout: ImageLayout,
  scale: number,
  views: number,
  augmentation: Augmentation,
  draws?: Tensor,
): Tensor {
  const batch = packed.ranges.shape[0]!;
  const rows = views * batch;
  const tokens = Math.floor(layout.size / layout.patch) ** 2;
  const patches = tape.tensor("patches", [rows, tokens, layout.channels * layout.patch ** 2]);
  const drawn = draws ?? tape.tensor("augmentation", [rows, 4], "u32");
  const { Number, count } = numbersIn(sizeOf(patches.shape));
  const constants = {
    ...constantsOf(layout, augmentation),
    BATCH: batch,
    SCALE: scale,
    BYTES: packed.encoding === "u8",
    STREAM: tape.nextStream(),
    Number,
  };
  const launch = (
    entry: string,
    bindings: Record<string, Tensor>,
    workgroups: readonly [number, number, number],
    more: Pick<Launch, "dims" | "split"> = {},
  ) => tape.dispatch({ kernel: KERNEL, entry, label: "images", constants, bindings, workgroups, ...more });
  const { ranges, words } = packed;
  launch("clear", { cleared: patches }, linearGrid(count), { split: elementwise(rows, ["cleared"], count) });
  launch("draw", { draws_out: drawn, step: tape.step }, linearGrid(rows));
  const entries = packed.mostPerImage / WORDS_PER_ENTRY[packed.encoding];
  const groups = Math.max(1, Math.ceil(entries / 64));
  launch("scatter", { ranges, words, draws: drawn, patches, step: tape.step }, [groups, rows, 1], {
    dims: [0],
    split: { units: rows, cut: ["patches"], part: (first, n) => ({ dims: [first], workgroups: [groups, n, 1] }) },
  });
  return patches;
}

function constantsOf({ size, channels, patch }: ImageLayout, a: Augmentation) {
  return {
    SIZE: size,
    CHANNELS: channels,
    PATCH: patch,
    FLIP_ETA: a.flipEta,
    FLIP_PHI: a.flipPhi,
    ROLL: a.roll === "phi",
    MAX_TOWERS: a.roll === "towers" ? a.maxTowers : 0,
    DROP: a.dropChannels[1] > 0,
    DROP_MIN: a.dropChannels[0],
    DROP_MAX: a.dropChannels[1],
    NOISE_PROBABILITY: a.noiseProbability,
    SIGMA: a.noiseSigma,
  };
}
