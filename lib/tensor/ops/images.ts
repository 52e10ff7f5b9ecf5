/** @file From packed non-zeros to the augmented patches that the model reads. */

import imagesSource from "../../../kernels/images.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings, Launch } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { PlacedTensor, Tensor, Tokens } from "../tensor.ts";
import { activeTokens, imagesAtOnce } from "./active_tokens.ts";
import { elementwise, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("images", imagesSource);

/** Sizes of the images and of the patches they are cut into. */
export interface ImageLayout {
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
  /** Pixels along each side of a patch. */
  readonly patch: number;
  /** Most patches of an image of the data set that hold something, where they were counted. */
  readonly active?: ActivePatches | undefined;
}

/** Patches of images that hold something. */
export interface ActivePatches {
  /** Pixels along each side of a patch. */
  readonly patch: number;
  /** Most of one image, however it is augmented. */
  readonly most: number;
}

/** What becomes of a value of an image. */
export interface PixelScale {
  /** Values are divided by it. */
  readonly normScale: number;
  /** How values grow with those of the data; linear by default. */
  readonly transform?: Transform;
}

/** x / normScale, log(1 + x) / log(1 + normScale), or the root of x / normScale. */
export type Transform = "linear" | "log1p" | "sqrt";

/** Numbers that the kernel knows them by. */
const TRANSFORMS: Readonly<Record<Transform, number>> = { linear: 0, log1p: 1, sqrt: 2 };

/** A packed batch on the adapter. */
export interface PackedTensors {
  /** (B, 2) u32: first word of each image, and the first after it. */
  readonly ranges: PlacedTensor;
  /** (W) u32: entries, as kernels/images.wgsl reads them. */
  readonly words: PlacedTensor;
  /** Words of an entry: 1 holds position and byte, 2 hold position and float. */
  readonly wordsPerEntry: number;
  /** Most words that one image of the data set has. */
  readonly mostPerImage: number;
}

/** What may be done to a view of an image. */
export interface Augmentation {
  /** Mirror eta with probability 1/2. */
  readonly flipEta: boolean;
  /** Mirror phi with probability 1/2. */
  readonly flipPhi: boolean;
  /** Instead, mirror each of four views in another way; the first is the image itself. */
  readonly everyFlip?: boolean;
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

/** Four views of an image: itself, mirrored along either axis, and along both. */
export const FOUR_FLIPS: Augmentation = { ...NO_AUGMENTATION, everyFlip: true };

/** The non-zeros of views of images, in the order in which they are packed. */
export interface PixelEntries {
  /** (rows, most, 2) u32: address in the patches of the row, and the bits of the value. */
  readonly listed: Tensor;
  /** (B, 2) u32: words of each packed image; row r is a view of image r mod B. */
  readonly ranges: Tensor;
  /** Words of a packed entry. */
  readonly words: number;
}

/** Views of a packed batch, each with draws of its own, as whatever asks for them needs them. */
export class ImageViews {
  /** (rows, tokens, channels * patch * patch): shape of the patches. The first views of all images come first. */
  readonly shape: readonly [rows: number, tokens: number, features: number];
  readonly #tape: Tape;
  readonly #packed: PackedTensors;
  readonly #constants: NonNullable<Launch["constants"]>;
  readonly #stream: number;
  readonly #draws: Tensor;
  /** Entries of the fullest image of the data set. */
  readonly most: number;
  readonly #mostTokens: number;
  #patches: Tensor | undefined;
  readonly #entries = new Map<Tokens | undefined, PixelEntries>();
  #tokens: Tokens | undefined;

  /**
   * Records what is drawn.
   *
   * @param packed B images
   * @param layout their sizes
   * @param scale what becomes of values
   * @param views outputs per image: 1, or 2 for SimCLR
   * @param draws receives what was drawn, (views * B, 4) u32; a new tensor by default
   */
  constructor(
    tape: Tape,
    packed: PackedTensors,
    layout: ImageLayout,
    { normScale, transform = "linear" }: PixelScale,
    views: number,
    augmentation: Augmentation,
    draws?: Tensor,
  ) {
    const batch = packed.ranges.shape[0]!;
    const rows = views * batch;
    this.#tape = tape;
    this.#packed = packed;
    this.shape = [rows, Math.floor(layout.size / layout.patch) ** 2, layout.channels * layout.patch ** 2];
    this.#draws = draws ?? tape.tensor("augmentation", [rows, 4], "u32");
    this.most = Math.max(1, packed.mostPerImage / packed.wordsPerEntry);
    this.#mostTokens = layout.active?.patch === layout.patch ? layout.active.most : this.most;
    this.#constants = {
      ...constantsOf(layout, augmentation),
      SCALE: normScale,
      TRANSFORM: TRANSFORMS[transform],
      BYTES: packed.wordsPerEntry === 1,
      ...tape.placement,
    };
    this.#stream = tape.nextStream();
    this.#launch("draw", {
      bindings: { draws_out: this.#draws, step: tape.step },
      extent: () => ({ dims: { stream: this.#stream }, workgroups: workgroupsFor(rows) }),
    });
  }

  /** The views as patches, with their zeros. */
  get patches(): Tensor {
    if (this.#patches) return this.#patches;
    const patches = this.#tape.tensor("patches", this.shape);
    this.#clear(patches);
    this.#perEntry("scatter", { patches });
    return this.#patches = patches;
  }

  /**
   * The patches of the views that hold something. Where they were not counted, there is room for as many as there may be.
   *
   * @param widest most values that something computed of them has for each; what is too large to be bound at once is bound in ranges
   */
  tokens(widest: number): Tokens {
    if (this.#tokens) return this.#tokens;
    const [images, places] = this.shape;
    const marks = this.#tape.tensor("active places", [images, places], "u32");
    this.#clear(marks);
    this.#perEntry("mark", { marks });
    const most = Math.min(this.#mostTokens, places);
    return this.#tokens = activeTokens(this.#tape, marks, most, imagesAtOnce(this.#tape, images, places, widest));
  }

  /**
   * The views as their non-zeros alone.
   *
   * @param tokens of the views, if an address is to count those of an image instead of its patches
   */
  entries(tokens?: Tokens): PixelEntries {
    const known = this.#entries.get(tokens);
    if (known) return known;
    const listed = this.#tape.tensor("non-zeros", [this.shape[0], this.most, 2], "u32");
    this.#perEntry("list", { listed }, tokens);
    const entries = { listed, ranges: this.#packed.ranges, words: this.#packed.wordsPerEntry };
    this.#entries.set(tokens, entries);
    return entries;
  }

  #clear(x: Tensor): void {
    this.#tape.dispatch({ ...elementwise(KERNEL, "clear", { cleared: x }), label: "images" });
  }

  /** Records a launch with an invocation for each entry that a row may have. */
  #perEntry(entry: string, output: Bindings, tokens?: Tokens): void {
    const { ranges, words } = this.#packed;
    this.#launch(entry, {
      units: this.shape[0],
      cut: output,
      bindings: { ranges, words, draws: this.#draws, step: this.#tape.step, ...(tokens && { token_rows: tokens.rows }) },
      tokens: tokens ?? null,
      extent: ({ first, count }) => ({
        dims: { stream: this.#stream, first_row: first, rows: count, most: this.most },
        workgroups: workgroupsForTable(this.most, count),
      }),
    });
  }

  #launch(entry: string, more: Partial<Launch> & Pick<Launch, "extent">): void {
    this.#tape.dispatch({ kernel: KERNEL, entry, label: "images", constants: this.#constants, ...more });
  }
}

/** The patches of {@linkcode ImageViews}, with the same parameters. */
export function imagePatches(...parameters: ConstructorParameters<typeof ImageViews>): Tensor {
  return new ImageViews(...parameters).patches;
}

function constantsOf({ size, channels, patch }: ImageLayout, a: Augmentation) {
  return {
    SIZE: size,
    CHANNELS: channels,
    PATCH: patch,
    FLIP_ETA: a.flipEta,
    FLIP_PHI: a.flipPhi,
    EVERY_FLIP: a.everyFlip ?? false,
    ROLL: a.roll === "phi",
    MAX_TOWERS: a.roll === "towers" ? a.maxTowers : 0,
    DROP: a.dropChannels[1] > 0,
    DROP_MIN: a.dropChannels[0],
    DROP_MAX: a.dropChannels[1],
    NOISE_PROBABILITY: a.noiseProbability,
    SIGMA: a.noiseSigma,
  };
}
