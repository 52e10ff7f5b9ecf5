/**
 * @file A toy model of jets: light quarks and gluons that shower (class 0), and boosted top quarks (class 1).
 *
 * - pT: 400 GeV plus a number of the exponential distribution of mean 120 GeV.
 * - Top: t -> b W, W -> q q', both decays isotropic in the rest frame of the parent (m_t = 172.8, m_W = 80.4).
 * - Shower: each parton radiates gluons at rate (2 alpha_s C / pi) d(ln 1/theta) d(ln 1/z), angle after angle,
 *   with transverse momentum z theta pT above 1 GeV; the parton recoils. C is 4/3 for quarks, 3 for gluons.
 * - Hadrons: a parton breaks into pieces of about 10 GeV or less, with transverse momenta of 0.3 GeV relative to it. 60 % are
 *   charged, 25 % photons, 15 % neutral hadrons.
 *
 * The label, mass and pT of a jet are those of its generated particles.
 */

import { Random, STREAMS } from "../../random.ts";
import { decay, etaOf, type FourMomentum, fromPtEtaPhi, massOf, phiOf, ptOf, sum } from "./kinematics.ts";

/** What a particle leaves in the detector. */
export type ParticleKind = "charged" | "photon" | "neutral";

/** A stable particle. */
export interface Particle {
  readonly pt: number;
  /** Relative to the jet. */
  readonly eta: number;
  readonly phi: number;
  readonly kind: ParticleKind;
  /** True if it comes from the decay of a b hadron, millimetres away from the collision. */
  readonly displaced: boolean;
}

/** A generated jet. */
export interface Jet {
  /** 0: quark or gluon, 1: top. */
  readonly label: 0 | 1;
  /** Invariant mass of the particles in GeV. */
  readonly mass: number;
  /** Transverse momentum of their sum in GeV. */
  readonly pt: number;
  readonly particles: readonly Particle[];
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

const TOP_MASS = 172.8;
const W_MASS = 80.4;
const COUPLING = 0.14;
const QUARK = 4 / 3;
const GLUON = 3;
const RADIUS = 0.8;
const CUT = 1;

/**
 * Generates one jet.
 *
 * @param seed of the data set
 * @param number of the jet: with the seed it determines everything
 */
export function generateJet(seed: number, number: number): { jet: Jet; random: Random } {
  const random = new Random(seed, STREAMS.synth, number);
  const label = random.uniform() < 0.4878 ? 1 : 0;
  const pt = 400 - 120 * Math.log(1 - random.uniform());
  const partons = label === 1 ? topPartons(pt, random) : [lightParton(pt, random)];
  const particles = partons.flatMap((parton) => shower(parton, random)).flatMap((parton) => hadronise(parton, random));
  const total = sum(particles.map((p) => fromPtEtaPhi(p.pt, p.eta, p.phi)));
  return { jet: { label, mass: massOf(total), pt: ptOf(total), particles }, random };
}

function lightParton(pt: number, random: Random): Parton {
  return { pt, eta: 0, phi: 0, c: random.uniform() < 0.5 ? QUARK : GLUON, angle: RADIUS, bottom: false };
}

/** The three quarks of a decayed top. */
function topPartons(pt: number, random: Random): Parton[] {
  const [b, w] = decay(fromPtEtaPhi(pt, 0, 0, TOP_MASS), 4.8, W_MASS, random);
  const [q1, q2] = decay(w, 0.3, 0.3, random);
  const toParton = (p: FourMomentum, bottom: boolean): Parton => {
    return { pt: ptOf(p), eta: etaOf(p), phi: phiOf(p), c: QUARK, angle: 0.5 * RADIUS, bottom };
  };
  return [toParton(b, true), toParton(q1, false), toParton(q2, false)];
}

/** All partons after showering. Emissions come at smaller and smaller angles (angular ordering). */
function shower(first: Parton, random: Random): Parton[] {
  const finals: Parton[] = [];
  const open = [first];
  while (open.length > 0) {
    let parton = open.pop()!;
    for (;;) {
      const range = Math.log(parton.pt * parton.angle / CUT);
      if (range <= 0) break;
      // the next smaller angle: an exponential step in ln(1 / angle) at the rate of all z above the cut
      const rate = 2 * COUPLING * parton.c / Math.PI * range;
      const angle = parton.angle * Math.exp(Math.log(1 - random.uniform()) / Math.max(rate, 1e-6));
      const lowest = CUT / (parton.pt * angle);
      if (lowest >= 0.5) break;
      const z = lowest * Math.exp(random.uniform() * Math.log(0.5 / lowest));
      const turn = 2 * Math.PI * random.uniform();
      const eta = angle * Math.cos(turn), phi = angle * Math.sin(turn);
      open.push({
        pt: z * parton.pt,
        eta: parton.eta + (1 - z) * eta,
        phi: parton.phi + (1 - z) * phi,
        c: GLUON,
        angle,
        bottom: false,
      });
      parton = { ...parton, pt: (1 - z) * parton.pt, eta: parton.eta - z * eta, phi: parton.phi - z * phi, angle };
    }
    finals.push(parton);
  }
  return finals;
}

function hadronise(parton: Parton, random: Random): Particle[] {
  const particles: Particle[] = [];
  let rest = parton.pt;
  while (rest > 0.4) {
    const share = rest < 1 ? 1 : Math.min(1, (0.1 + 0.5 * random.uniform()) * Math.min(1, 10 / rest) + 0.02);
    const pt = share * rest;
    rest -= pt;
    const spread = 0.3 / Math.max(pt, 0.3);
    const kind = random.uniform();
    particles.push({
      pt,
      eta: parton.eta + spread * random.normal(),
      phi: parton.phi + spread * random.normal(),
      kind: kind < 0.6 ? "charged" : kind < 0.85 ? "photon" : "neutral",
      displaced: parton.bottom && random.uniform() < 0.6,
    });
  }
  return particles;
}
