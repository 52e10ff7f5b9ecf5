/**
 * @file Four-momenta in the frame of the detector: sums, boosts and two-body decays. Units are GeV, c = 1.
 */

import type { Random } from "../../random.ts";

/** Energy and momentum; x points away from the beam along the jet, z along the beam. */
export interface FourMomentum {
  readonly e: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** A massless or massive particle from its transverse momentum, pseudorapidity and azimuth. */
export function fromPtEtaPhi(pt: number, eta: number, phi: number, mass = 0): FourMomentum {
  const x = pt * Math.cos(phi), y = pt * Math.sin(phi), z = pt * Math.sinh(eta);
  return { e: Math.sqrt(x * x + y * y + z * z + mass * mass), x, y, z };
}

/** Invariant mass; 0 where rounding makes its square negative. */
export function massOf({ e, x, y, z }: FourMomentum): number {
  return Math.sqrt(Math.max(0, e * e - x * x - y * y - z * z));
}

/** Transverse momentum. */
export function ptOf({ x, y }: FourMomentum): number {
  return Math.hypot(x, y);
}

/** Pseudorapidity. */
export function etaOf({ x, y, z }: FourMomentum): number {
  return Math.asinh(z / Math.max(Math.hypot(x, y), 1e-12));
}

/** Azimuth, from -pi to pi. */
export function phiOf({ x, y }: FourMomentum): number {
  return Math.atan2(y, x);
}

/** A momentum given in the rest frame of a parent, seen in the frame where the parent moves. */
export function boost(p: FourMomentum, parent: FourMomentum): FourMomentum {
  const mass = massOf(parent);
  const bx = parent.x / mass, by = parent.y / mass, bz = parent.z / mass, gamma = parent.e / mass;
  const along = p.x * bx + p.y * by + p.z * bz;
  const factor = along / (1 + gamma) + p.e;
  return { e: gamma * p.e + along, x: p.x + factor * bx, y: p.y + factor * by, z: p.z + factor * bz };
}

/** An isotropic two-body decay: the daughters of given masses, in the frame where the parent moves. */
export function decay(parent: FourMomentum, m1: number, m2: number, random: Random): [FourMomentum, FourMomentum] {
  const mass = massOf(parent);
  const e1 = (mass * mass + m1 * m1 - m2 * m2) / (2 * mass);
  const p = Math.sqrt(Math.max(0, e1 * e1 - m1 * m1));
  const cos = 2 * random.uniform() - 1, sin = Math.sqrt(1 - cos * cos), phi = 2 * Math.PI * random.uniform();
  const x = p * sin * Math.cos(phi), y = p * sin * Math.sin(phi), z = p * cos;
  const first = { e: e1, x, y, z };
  const second = { e: mass - e1, x: -x, y: -y, z: -z };
  return [boost(first, parent), boost(second, parent)];
}
