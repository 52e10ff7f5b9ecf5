/**
 * @file A toy detector: particles to an image of 8 channels, as in the published files.
 *
 * Channels: track pT, track d0, track dz, ECAL, HCAL, three pixel layers. A pixel is 0.0174 wide in eta and phi; an
 * HCAL tower is 5 x 5 of them. The image is centred on the hottest tower. Each channel is scaled to a maximum
 * of 255 and rounded to whole numbers.
 */

import type { Random } from "../../random.ts";
import type { Particle } from "./jets.ts";

/** Pixels along eta and phi. */
export const SIZE = 125;
/** Detector channels. */
export const CHANNELS = 8;
const TOWER = 5;
const TOWERS = SIZE / TOWER;
const PIXEL = 0.0174;
const MAX = 255;

/** Mean numbers of hits and deposits that do not come from the jet. */
const PILE_UP = { tracks: 12, ecal: 120, towers: 14, hits: 70 };

/** Draws images, one after the other, into one buffer. */
export class Detector {
  readonly #image = new Float32Array(SIZE * SIZE * CHANNELS);
  readonly #towers = new Float32Array(TOWERS * TOWERS);

  /**
   * The image of a jet.
   *
   * @returns (SIZE, SIZE, CHANNELS) whole numbers from 0 to 255; a view that the next call overwrites
   */
  draw(particles: readonly Particle[], random: Random): Float32Array {
    this.#image.fill(0);
    const [eta0, phi0] = this.#centre(particles);
    for (const particle of particles) this.#deposit(particle, particle.eta - eta0, particle.phi - phi0, random);
    this.#pileUp(random);
    this.#spreadTowers();
    this.#scale();
    return this.#image;
  }

  /** Direction of the hottest tower; fills the towers relative to it. */
  #centre(particles: readonly Particle[]): [eta: number, phi: number] {
    const energy = new Map<string, number>();
    const width = TOWER * PIXEL;
    let best = "0,0", most = 0;
    for (const { pt, eta, phi, kind } of particles) {
      const key = `${Math.round(eta / width)},${Math.round(phi / width)}`;
      const total = (energy.get(key) ?? 0) + pt * HADRONIC[kind];
      energy.set(key, total);
      if (total > most) [best, most] = [key, total];
    }
    const [row, column] = best.split(",").map(Number) as [number, number];
    this.#towers.fill(0);
    for (const [key, value] of energy) {
      const [r, c] = key.split(",").map(Number) as [number, number];
      const tr = r - row + (TOWERS >> 1), tc = c - column + (TOWERS >> 1);
      if (tr >= 0 && tr < TOWERS && tc >= 0 && tc < TOWERS) this.#towers[tr * TOWERS + tc] = value;
    }
    return [row * width, column * width];
  }

  #deposit({ pt, kind, displaced }: Particle, eta: number, phi: number, random: Random): void {
    const row = Math.floor(eta / PIXEL + SIZE / 2), column = Math.floor(phi / PIXEL + SIZE / 2);
    if (kind === "photon") this.#add(row, column, 3, pt * (1 + 0.03 * random.normal()));
    else if (random.uniform() < 0.5) this.#add(row, column, 3, pt * 0.3 * random.uniform());
    if (kind !== "charged") return;
    this.#hits(row, column, random);
    if (pt < 2 || random.uniform() > 0.9) return;
    const smear = displaced ? 3 : 0.4;
    this.#add(row, column, 0, pt);
    if (random.uniform() < 0.5) this.#add(row, column, 1, Math.abs(smear * random.normal()));
    if (random.uniform() < 0.3) this.#add(row, column, 2, Math.abs(smear * random.normal()));
  }

  /** A charged particle's hits in the three pixel layers, spread by its curvature and the size of clusters. */
  #hits(row: number, column: number, random: Random): void {
    for (let layer = 0; layer < 3; layer++) {
      if (random.uniform() < 0.97) {
        this.#add(row + Math.round(0.7 * random.normal()), column + Math.round(0.7 * random.normal()), 5 + layer, 1);
      }
    }
  }

  #pileUp(random: Random): void {
    const anywhere = () => random.below(SIZE);
    const times = (mean: number) => Math.round(mean * (0.5 + random.uniform()));
    for (let i = times(PILE_UP.tracks); i > 0; i--) this.#add(anywhere(), anywhere(), 0, 1 - 2 * Math.log(1 - random.uniform()));
    for (let i = times(PILE_UP.ecal); i > 0; i--) this.#add(anywhere(), anywhere(), 3, -0.8 * Math.log(1 - random.uniform()));
    for (let i = times(PILE_UP.towers); i > 0; i--) {
      this.#warm(random.below(TOWERS * TOWERS), 0.5 - 2 * Math.log(1 - random.uniform()));
    }
    for (let i = times(PILE_UP.hits); i > 0; i--) {
      for (let layer = 0; layer < 3; layer++) this.#add(anywhere(), anywhere(), 5 + layer, 1);
    }
  }

  #warm(tower: number, energy: number): void {
    this.#towers[tower] = this.#towers[tower]! + energy;
  }

  #spreadTowers(): void {
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const tower = Math.floor(row / TOWER) * TOWERS + Math.floor(column / TOWER);
        this.#image[(row * SIZE + column) * CHANNELS + 4] = this.#towers[tower]!;
      }
    }
  }

  #add(row: number, column: number, channel: number, value: number): void {
    if (row < 0 || row >= SIZE || column < 0 || column >= SIZE) return;
    const at = (row * SIZE + column) * CHANNELS + channel;
    this.#image[at] = this.#image[at]! + Math.max(0, value);
  }

  #scale(): void {
    const image = this.#image;
    const largest = new Float32Array(CHANNELS);
    for (let i = 0; i < image.length; i++) {
      const channel = i % CHANNELS;
      if (image[i]! > largest[channel]!) largest[channel] = image[i]!;
    }
    for (let i = 0; i < image.length; i++) {
      const value = image[i]!;
      if (value !== 0) image[i] = Math.round(MAX * value / largest[i % CHANNELS]!);
    }
  }
}

/** Share of a particle's energy that reaches the HCAL. */
const HADRONIC = { charged: 0.75, photon: 0.02, neutral: 0.85 } as const;
