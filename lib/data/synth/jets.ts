/**
 * @file A toy model of jets: light quarks and gluons that shower (class 0), and boosted top quarks (class 1).
 *
 * - pT falls from 400 GeV: 87 % of the jets follow half a normal distribution of deviation 138 GeV, the others
 *   an exponential one of mean 175 GeV.
 * - Top: t -> b W, W -> q q', both decays isotropic in the rest frame of the parent (m_t = 172.8, m_W = 80.4).
 * - Shower: each parton radiates gluons at rate (2 alpha_s C / pi) d(ln 1/theta) d(ln 1/z), angle after angle,
 *   with transverse momentum z theta pT above 0.5 GeV; the parton recoils. C is 4/3 for quarks, 3 for gluons. The
 *   quarks of a top radiate at angles up to about that of the decay only.
 * - Hadrons: a parton breaks into pieces of some GeV, with transverse momenta of 0.3 GeV relative to it.
 *   60 % are charged, 25 % photons, 15 % neutral hadrons.
 * - Underlying event and pile-up: soft particles all over the picture, 8 GeV in a unit of area on average.
 *
 * The jet is what lies within 0.8 of the axis. Mass and pT are the invariants of those particles, all of them
 * scaled so that the jet has the pT that was drawn.
 */

import { Random, STREAMS } from "../../random.ts";
import { decay, etaOf, type FourMomentum, fromPtEtaPhi, phiOf, ptOf } from "./kinematics.ts";
import { KIND, ParticleList } from "./particles.ts";

/** A generated jet. */
export interface Jet {
  /** 0: quark or gluon, 1: top. */
  readonly label: 0 | 1;
  /** Invariant mass of the jet's particles in GeV. */
  readonly mass: number;
  /** Transverse momentum of their sum in GeV. */
  readonly pt: number;
  /** All particles near the jet, eta and phi relative to its axis; overwritten by the next jet. */
  readonly particles: ParticleList;
  /** Random numbers of this jet, for the detector to go on with. */
  readonly random: Random;
}

interface Parton {
  readonly pt: number;
  readonly eta: number;
  readonly phi: number;
  /** Colour factor. */
  readonly c: number;
  /** Largest angle of its next emission. */
  readonly angle: number;
  readonly bottom: boolean;
}

const SHARE_OF_TOPS = 0.4878;
const TOP_MASS = 172.8;
const W_MASS = 80.4;
const COUPLING = 0.17;
const QUARK = 4 / 3;
const GLUON = 3;
const SHARE_OF_GLUONS = 0.4;
const RADIUS = 0.8;
/** Smallest transverse momentum of an emission relative to its parton, GeV. */
const CUT = 0.5;
const SOFT = { density: 8, meanPt: 0.75, halfWidth: 1.2 };

/** Generates jets one after the other, into the same memory. */
export class JetGenerator {
  readonly #particles = new ParticleList();

  /**
   * Generates one jet.
   *
   * @param seed of the data set
   * @param number of the jet: with the seed it determines everything
   */
  generate(seed: number, number: number): Jet {
    const random = new Random(seed, STREAMS.synth, number);
    const particles = this.#particles;
    particles.clear();
    const label = random.uniform() < SHARE_OF_TOPS ? 1 : 0;
    const pt = drawPt(random);
    const partons = label === 1 ? topPartons(pt, random) : [lightParton(pt, random)];
    for (const parton of partons) shower(parton, particles, random);
    addSoft(particles, random);
    particles.centre(RADIUS);
    const scale = pt / particles.jet(RADIUS).pt;
    particles.scale(scale);
    return { label, ...particles.jet(RADIUS), particles, random };
  }
}

function drawPt(random: Random): number {
  if (random.uniform() < 0.87) return 400 + 138 * Math.abs(random.normal());
  return 400 - 175 * Math.log(1 - random.uniform());
}

function lightParton(pt: number, random: Random): Parton {
  const c = random.uniform() < SHARE_OF_GLUONS ? GLUON : QUARK;
  return { pt, eta: 0, phi: 0, c, angle: RADIUS, bottom: false };
}

/** The three quarks of a decayed top, all within the jet; each radiates within the angle to its nearest neighbour. */
function topPartons(pt: number, random: Random): Parton[] {
  let quarks: { pt: number; eta: number; phi: number }[];
  do {
    const [b, w] = decay(fromPtEtaPhi(pt, 0, 0, TOP_MASS), 4.8, W_MASS, random);
    const [q1, q2] = decay(w, 0.3, 0.3, random);
    quarks = [b, q1, q2].map((p: FourMomentum) => ({ pt: ptOf(p), eta: etaOf(p), phi: phiOf(p) }));
  } while (quarks.some(({ eta, phi }) => Math.hypot(eta, phi) > RADIUS));
  return quarks.map((quark, i) => {
    const others = quarks.filter((_, j) => j !== i).map(({ eta, phi }) => Math.hypot(quark.eta - eta, quark.phi - phi));
    return { ...quark, c: QUARK, angle: Math.min(RADIUS, 0.85 * Math.min(...others)), bottom: i === 0 };
  });
}

/** Lets a parton radiate and break into hadrons. Emissions come at smaller and smaller angles (angular ordering). */
function shower(first: Parton, particles: ParticleList, random: Random): void {
  const open = [first];
  while (open.length > 0) {
    const { c, bottom, ...start } = open.pop()!;
    let { pt, eta, phi, angle } = start;
    for (;;) {
      const range = Math.log(pt * angle / CUT);
      if (range <= 0) break;
      // the next smaller angle: an exponential step in ln(1 / angle) at the rate of all z above the cut
      angle *= Math.exp(Math.log(1 - random.uniform()) / Math.max(2 * COUPLING * c / Math.PI * range, 1e-6));
      const lowest = CUT / (pt * angle);
      if (lowest >= 0.5) break;
      const z = lowest * Math.exp(random.uniform() * Math.log(0.5 / lowest));
      const turn = 2 * Math.PI * random.uniform();
      const deta = angle * Math.cos(turn), dphi = angle * Math.sin(turn);
      open.push({ pt: z * pt, eta: eta + (1 - z) * deta, phi: phi + (1 - z) * dphi, c: GLUON, angle, bottom: false });
      pt *= 1 - z;
      eta -= z * deta;
      phi -= z * dphi;
    }
    hadronise(pt, eta, phi, bottom, particles, random);
  }
}

function hadronise(total: number, eta: number, phi: number, bottom: boolean, particles: ParticleList, random: Random): void {
  let rest = total;
  while (rest > 0.4) {
    const share = rest < 0.6 ? 1 : 0.02 + 0.5 * random.uniform() ** 1.5;
    const pt = share * rest;
    rest -= pt;
    const spread = 0.3 / Math.max(pt, 0.3);
    particles.add(
      pt,
      eta + spread * random.normal(),
      phi + spread * random.normal(),
      drawKind(random),
      bottom && random.uniform() < 0.6,
    );
  }
}

function addSoft(particles: ParticleList, random: Random): void {
  const { density, meanPt, halfWidth } = SOFT;
  const mean = density * (2 * halfWidth) ** 2 / meanPt;
  // the number of collisions in a crossing differs from event to event
  const count = Math.round(mean * (0.5 + random.uniform()));
  for (let i = 0; i < count; i++) {
    const pt = 0.2 - (meanPt - 0.2) * Math.log(1 - random.uniform());
    particles.add(pt, halfWidth * (2 * random.uniform() - 1), halfWidth * (2 * random.uniform() - 1), drawKind(random), false);
  }
}

function drawKind(random: Random): number {
  const kind = random.uniform();
  return kind < 0.6 ? KIND.charged : kind < 0.85 ? KIND.photon : KIND.neutral;
}
