/**
 * @file A toy detector: particles to an image of 8 channels, as in the published files.
 *
 * Channels: track pT, track d0, track dz, ECAL, HCAL, three pixel layers. A pixel is 0.0174 wide in eta and phi; an
 * HCAL tower is 5 x 5 of them. The image is centred on the hottest tower. Each channel is scaled to a maximum
 * of 255 and rounded to whole numbers; what rounds to 0 is gone.
 *
 * - Tracks: charged particles above 0.65 GeV, 88 % of them. Impact parameters are stored where they are
 *   significant, which those of b hadrons are more often, and with larger values.
 * - ECAL: a photon's shower spreads over a few crystals; a hadron leaves a little on its way.
 * - HCAL: hadrons, with the resolution of a sampling calorimeter, above a threshold in each tower.
 * - Pixel layers: hits of charged particles, counted, and of others that reach no calorimeter.
 */

import type { Random } from "../../random.ts";
import { KIND, type ParticleList } from "./particles.ts";

/** Pixels along eta and phi. */
export const SIZE = 125;
/** Detector channels. */
export const CHANNELS = 8;
const TOWER = 5;
const TOWERS = SIZE / TOWER;
const PIXEL = 0.0174;
const TOWER_WIDTH = TOWER * PIXEL;
const MAX = 255;
const ECAL = 3, HCAL = 4, PIXEL_LAYER = 5;

const TRACK = { least: 0.65, efficiency: 0.88 };
/** Probability that a track's d0 and dz are stored, for b hadrons and for others. */
const SIGNIFICANT = { d0: [0.44, 0.7], dz: [0.26, 0.5] } as const;
/** Threshold of an ECAL crystal in GeV, and the spread of a photon's shower in crystals. */
const CRYSTAL = { least: 0.02, spread: 1.1 };
/** Share of a hadron's energy that reaches the HCAL, by kind. */
const HADRONIC = [0.75, 0.02, 0.85];
const HCAL_THRESHOLD = 1.2;
/** Probability that a particle's hit counts twice, in each pixel layer: later layers see wider clusters. */
const SPLIT_CLUSTERS = [0.02, 0.07, 0.09] as const;
/** Hits that belong to no stored track, in each pixel layer. */
const STRAY_HITS = [30, 52, 54] as const;

/** Draws images, one after the other, into one buffer. */
export class Detector {
  readonly #image = new Float32Array(SIZE * SIZE * CHANNELS);
  readonly #towers = new Float32Array(TOWERS * TOWERS);
  readonly #largest = new Float32Array(CHANNELS);
  /** Positions that are not zero, HCAL left out. */
  readonly #touched = new Uint32Array(SIZE * SIZE * CHANNELS);
  #count = 0;
  /** Direction of the hottest tower. */
  #eta = 0;
  #phi = 0;

  /**
   * The image of a jet.
   *
   * @returns (SIZE, SIZE, CHANNELS) whole numbers from 0 to 255; a view that the next call overwrites
   */
  draw(particles: ParticleList, random: Random): Float32Array {
    this.#image.fill(0);
    this.#count = 0;
    this.#findHottest(particles, random);
    for (let i = 0; i < particles.count; i++) this.#deposit(particles, i, random);
    this.#strayHits(random);
    this.#scale();
    this.#drawTowers();
    return this.#image;
  }

  /** Fills the towers around the jet's axis, then shifts them so that the hottest is in the middle. */
  #findHottest({ count, pt, eta, phi, kind }: ParticleList, random: Random): void {
    const span = 2 * TOWERS, middle = TOWERS;
    const towers = new Float32Array(span * span);
    for (let i = 0; i < count; i++) {
      const row = Math.round(eta[i]! / TOWER_WIDTH) + middle, column = Math.round(phi[i]! / TOWER_WIDTH) + middle;
      if (row < 0 || row >= span || column < 0 || column >= span) continue;
      const energy = pt[i]! * HADRONIC[kind[i]!]!;
      const smeared = energy + 0.8 * Math.sqrt(energy) * random.normal();
      towers[row * span + column]! += Math.max(0, smeared);
    }
    let best = 0;
    for (let i = 1; i < towers.length; i++) if (towers[i]! > towers[best]!) best = i;
    const top = Math.floor(best / span) - (TOWERS >> 1), left = best % span - (TOWERS >> 1);
    this.#eta = (Math.floor(best / span) - middle) * TOWER_WIDTH;
    this.#phi = (best % span - middle) * TOWER_WIDTH;
    for (let r = 0; r < TOWERS; r++) {
      for (let c = 0; c < TOWERS; c++) {
        const row = r + top, column = c + left;
        const inside = row >= 0 && row < span && column >= 0 && column < span;
        const energy = inside ? towers[row * span + column]! : 0;
        this.#towers[r * TOWERS + c] = energy > HCAL_THRESHOLD ? energy : 0;
      }
    }
  }

  #deposit(particles: ParticleList, i: number, random: Random): void {
    const pt = particles.pt[i]!, kind = particles.kind[i]!;
    const row = (particles.eta[i]! - this.#eta) / PIXEL + SIZE / 2, column = (particles.phi[i]! - this.#phi) / PIXEL + SIZE / 2;
    if (row < -2 || row > SIZE + 2 || column < -2 || column > SIZE + 2) return;
    if (kind === KIND.photon) this.#ecalShower(row, column, pt * (1 + 0.03 * random.normal()), random);
    else this.#ionise(row, column, pt, random);
    if (kind !== KIND.charged) return;
    for (let layer = 0; layer < 3; layer++) {
      const hits = random.uniform() < SPLIT_CLUSTERS[layer]! ? 2 : 1;
      this.#add(row + 0.5 * random.normal(), column + 0.5 * random.normal(), PIXEL_LAYER + layer, hits);
    }
    if (pt < TRACK.least || random.uniform() > TRACK.efficiency) return;
    this.#add(row, column, 0, pt);
    const displaced = particles.displaced[i]!;
    if (random.uniform() < SIGNIFICANT.d0[displaced]!) this.#add(row, column, 1, impactParameter(displaced, random));
    if (random.uniform() < SIGNIFICANT.dz[displaced]!) this.#add(row, column, 2, impactParameter(displaced, random));
  }

  /** What a hadron leaves in the ECAL, in two crystals. */
  #ionise(row: number, column: number, energy: number, random: Random): void {
    if (random.uniform() > 0.7) return;
    for (let k = 0; k < 2; k++) this.#add(row + random.normal(), column + random.normal(), ECAL, 0.15 * energy * random.uniform());
  }

  /** Energy in parts around the photon; those below a crystal's threshold are not seen. */
  #ecalShower(row: number, column: number, energy: number, random: Random): void {
    this.#add(row, column, ECAL, 0.8 * energy);
    for (let k = 0; k < 17; k++) {
      const part = 0.035 * energy * random.uniform();
      if (part < CRYSTAL.least) continue;
      this.#add(row + CRYSTAL.spread * random.normal(), column + CRYSTAL.spread * random.normal(), ECAL, part);
    }
  }

  #strayHits(random: Random): void {
    for (let layer = 0; layer < 3; layer++) {
      for (let n = Math.round(STRAY_HITS[layer]! * (0.5 + random.uniform())); n > 0; n--) {
        this.#add(SIZE * random.uniform(), SIZE * random.uniform(), PIXEL_LAYER + layer, 1);
      }
    }
  }

  #add(row: number, column: number, channel: number, value: number): void {
    if (row < 0 || row >= SIZE || column < 0 || column >= SIZE || value <= 0) return;
    const at = (Math.floor(row) * SIZE + Math.floor(column)) * CHANNELS + channel;
    if (this.#image[at] === 0) this.#touched[this.#count++] = at;
    this.#image[at]! += value;
  }

  #scale(): void {
    const image = this.#image, largest = this.#largest.fill(0);
    for (let k = 0; k < this.#count; k++) {
      const at = this.#touched[k]!, channel = at % CHANNELS;
      if (image[at]! > largest[channel]!) largest[channel] = image[at]!;
    }
    for (let k = 0; k < this.#count; k++) {
      const at = this.#touched[k]!;
      image[at] = Math.round(MAX * image[at]! / largest[at % CHANNELS]!);
    }
  }

  #drawTowers(): void {
    let largest = 0;
    for (const energy of this.#towers) largest = Math.max(largest, energy);
    for (let tower = 0; tower < this.#towers.length; tower++) {
      const energy = this.#towers[tower]!;
      if (energy === 0) continue;
      const value = Math.round(MAX * energy / largest);
      const row = Math.floor(tower / TOWERS) * TOWER, column = tower % TOWERS * TOWER;
      for (let i = 0; i < TOWER * TOWER; i++) {
        this.#image[((row + Math.floor(i / TOWER)) * SIZE + column + i % TOWER) * CHANNELS + HCAL] = value;
      }
    }
  }
}

/** Size of an impact parameter, with a long tail. */
function impactParameter(displaced: number, random: Random): number {
  return (displaced ? 2 : 1) * Math.exp(1.25 * random.normal());
}
