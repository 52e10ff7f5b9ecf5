/** @file Statistics of images and of the numbers that go with them, and those of the published files. */

import { type Encoding, forEachEntry, type PackedBatch } from "./entries.ts";
import type { ImageSize } from "./packed.ts";

/** One channel over many images. */
export interface ChannelStatistics {
  /** Share of values that are not zero. */
  readonly active: number;
  /** Mean of all values. */
  readonly mean: number;
  /** Standard deviation of all values. */
  readonly std: number;
  /** Mean of the values that are not zero. */
  readonly meanActive: number;
  /** Largest value. */
  readonly largest: number;
}

/** Channels of the published files; their order is read off their statistics, the files do not name them. */
export const CHANNEL_NAMES = ["track pT", "track d0", "track dz", "ECAL", "HCAL", "pixels 1", "pixels 2", "pixels 3"] as const;

/** True if images have as many channels as the published ones. */
export function hasPublishedChannels({ channels }: Pick<ImageSize, "channels">): boolean {
  return channels === CHANNEL_NAMES.length;
}

/** What a channel of images with so many channels is called. */
export function channelName(channel: number, channels: number): string {
  return hasPublishedChannels({ channels }) ? CHANNEL_NAMES[channel]! : `channel ${channel}`;
}

/** What is known of the two published files. */
export const PUBLISHED_STATISTICS = {
  unlabelled: { images: 60_000 },
  labelled: { images: 10_000, counts: [5122, 4878], first: { label: 1, mass: 136.34013, pt: 551.3493 } },
  channels: {
    active: [0.00341, 0.00162, 0.00099, 0.01472, 0.04905, 0.00869, 0.01023, 0.01038],
    mean: [0.0773, 0.0839, 0.0568, 0.1281, 1.5058, 1.1074, 1.1618, 1.1228],
    std: [3.16, 3.32, 2.98, 3.29, 13.77, 12.78, 12.34, 11.71],
  },
  /** GeV. */
  mass: { least: 31.948496, most: 728.3518, mean: 142.5, std: 51 },
  /** GeV. */
  pt: { least: 400.01608, most: 2039.6335, mean: 520.6, std: 106 },
} as const;

/** Beyond this, in GeV, a mass is no mass, in whatever unit. */
export const LARGEST_MASS = 1e15;

/** Sums over images, channel by channel. */
export class ImageStatistics {
  readonly #size: ImageSize;
  readonly #sums: Float64Array[];
  #images = 0;
  #whole = true;

  /** Starts with no image. */
  constructor(size: ImageSize) {
    this.#size = size;
    this.#sums = Array.from({ length: 4 }, () => new Float64Array(size.channels));
  }

  /** Adds packed images. */
  add({ offsets, words }: PackedBatch, encoding: Encoding): void {
    const { channels } = this.#size;
    const [count, sum, squares, largest] = this.#sums as [Float64Array, Float64Array, Float64Array, Float64Array];
    forEachEntry(words, encoding, (position, value) => {
      const channel = position % channels;
      count[channel]!++;
      sum[channel]! += value;
      squares[channel]! += value * value;
      if (value > largest[channel]!) largest[channel] = value;
    });
    this.#images += offsets.length - 1;
    this.#whole &&= encoding === "u8";
  }

  /** True if all values are whole numbers from 0 to 255. */
  get wholeNumbers(): boolean {
    return this.#whole;
  }

  /** Share of values that are zero. */
  get zeros(): number {
    const active = this.#sums[0]!.reduce((sum, count) => sum + count, 0);
    return 1 - active / (this.#images * this.#size.size ** 2 * this.#size.channels);
  }

  /** Statistics of each channel. */
  get channels(): ChannelStatistics[] {
    const n = this.#images * this.#size.size ** 2;
    const [count, sum, squares, largest] = this.#sums as [Float64Array, Float64Array, Float64Array, Float64Array];
    return Array.from(count, (active, c) => {
      const mean = sum[c]! / n;
      return {
        active: active / n,
        mean,
        std: Math.sqrt(Math.max(0, squares[c]! / n - mean ** 2)),
        meanActive: active > 0 ? sum[c]! / active : 0,
        largest: largest[c]!,
      };
    });
  }
}

/** Smallest, largest, mean and population standard deviation. */
export function describe(values: ArrayLike<number>): { least: number; most: number; mean: number; std: number } {
  let least = Infinity, most = -Infinity, sum = 0;
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
    sum += values[i]!;
  }
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - mean) ** 2;
  return { least, most, mean, std: Math.sqrt(squares / values.length) };
}
