/**
 * @file Hand-made features of a jet image, as a physicist would write them down before training anything.
 *
 * They are for the published layout: tracks first, ECAL and HCAL as channels 3 and 4, pixel layers last.
 * Distances are in units of pixels.
 */

import { type Encoding, forEachEntry } from "./entries.ts";
import type { ImageSize } from "./packed.ts";

/** Names of the features, in the order of {@linkcode jetFeatures}. */
export const FEATURES = [
  "tracks",
  "towers",
  "width of tracks",
  "width of ECAL",
  "width of HCAL",
  "share of 1st sub-jet",
  "share of 2nd sub-jet",
  "share of 3rd sub-jet",
  "mass of sub-jets 1, 2",
  "mass of sub-jets 1, 3",
  "mass of sub-jets 2, 3",
] as const;

const TRACKS = 0, ECAL = 3, HCAL = 4;
/** Pixels along an HCAL tower. */
const TOWER = 5;
/** Radius of a sub-jet in towers: 0.26 in eta and phi. */
const RADIUS = 3;
const SUBJETS = 3;

/**
 * The features of one image.
 *
 * @param words of the packed image
 * @returns one number for each of {@linkcode FEATURES}
 */
export function jetFeatures(words: Uint32Array, encoding: Encoding, { channels, size }: ImageSize): Float64Array {
  const moments = Array.from({ length: channels }, () => new Moments());
  const side = Math.ceil(size / TOWER);
  const towers = new Float64Array(side * side);
  forEachEntry(words, encoding, (position, value) => {
    const channel = position % channels;
    const pixel = Math.floor(position / channels);
    const row = Math.floor(pixel / size), column = pixel % size;
    moments[channel]!.add(row, column, value);
    if (channel === ECAL || channel === HCAL) {
      // a tower's value is stored in all of its pixels
      const share = channel === HCAL ? value / TOWER ** 2 : value;
      towers[Math.floor(row / TOWER) * side + Math.floor(column / TOWER)]! += share;
    }
  });
  const [tracks, ecal, hcal] = [moments[TRACKS]!, moments[ECAL]!, moments[HCAL]!];
  return Float64Array.of(
    Math.log(1 + tracks.count),
    Math.log(1 + hcal.count / TOWER ** 2),
    tracks.width,
    ecal.width,
    hcal.width,
    ...subjetFeatures(towers, side),
  );
}

/** Sums for count, mean position and width of a channel. */
class Moments {
  count = 0;
  #sum = 0;
  #row = 0;
  #column = 0;
  #squares = 0;

  add(row: number, column: number, value: number): void {
    this.count++;
    this.#sum += value;
    this.#row += value * row;
    this.#column += value * column;
    this.#squares += value * (row * row + column * column);
  }

  /** Root mean square distance from the mean position: near 2 m / pT of massless particles, by small angles. */
  get width(): number {
    if (this.#sum === 0) return 0;
    const variance = this.#squares / this.#sum - (this.#row / this.#sum) ** 2 - (this.#column / this.#sum) ** 2;
    return Math.sqrt(Math.max(0, variance));
  }
}

/** Shares and pair masses of three sub-jets: cones around the hottest towers that no earlier one has taken. */
function subjetFeatures(towers: Float64Array, side: number): number[] {
  const rest = Float64Array.from(towers);
  const total = Math.max(1e-9, towers.reduce((sum, value) => sum + value, 0));
  const jets = Array.from({ length: SUBJETS }, () => takeCone(rest, side));
  const masses: number[] = [];
  for (let i = 0; i < SUBJETS; i++) {
    for (let j = i + 1; j < SUBJETS; j++) {
      const a = jets[i]!, b = jets[j]!;
      masses.push(Math.sqrt(a.sum * b.sum) / total * Math.hypot(a.row - b.row, a.column - b.column));
    }
  }
  return [...jets.map(({ sum }) => sum / total), ...masses];
}

function takeCone(rest: Float64Array, side: number): { sum: number; row: number; column: number } {
  let hottest = 0;
  for (let i = 1; i < rest.length; i++) if (rest[i]! > rest[hottest]!) hottest = i;
  const row = Math.floor(hottest / side), column = hottest % side;
  const jet = { sum: 0, row: 0, column: 0 };
  for (let r = Math.max(0, row - RADIUS); r <= Math.min(side - 1, row + RADIUS); r++) {
    for (let c = Math.max(0, column - RADIUS); c <= Math.min(side - 1, column + RADIUS); c++) {
      if ((r - row) ** 2 + (c - column) ** 2 > RADIUS ** 2) continue;
      const value = rest[r * side + c]!;
      rest[r * side + c] = 0;
      jet.sum += value;
      jet.row += value * r;
      jet.column += value * c;
    }
  }
  const scale = jet.sum > 0 ? 1 / jet.sum : 0;
  return { sum: jet.sum, row: jet.row * scale, column: jet.column * scale };
}
