/** @file The stable particles of an event, in arrays that are used again for the next. */

/** What a particle leaves in the detector. */
export const KIND = { charged: 0, photon: 1, neutral: 2 } as const;

/** Particles by columns; the first `count` entries of each are valid. */
export class ParticleList {
  /** Number of particles. */
  count = 0;
  /** Transverse momenta in GeV. */
  pt = new Float64Array(512);
  /** Pseudorapidities. */
  eta = new Float64Array(512);
  /** Azimuths. */
  phi = new Float64Array(512);
  /** Values of {@linkcode KIND}. */
  kind = new Uint8Array(512);
  /** 1 for products of a b hadron, which decays millimetres away from the collision. */
  displaced = new Uint8Array(512);

  /** Forgets all particles. */
  clear(): void {
    this.count = 0;
  }

  /** Adds a particle. */
  add(pt: number, eta: number, phi: number, kind: number, displaced: boolean): void {
    if (this.count === this.pt.length) this.#grow();
    const i = this.count++;
    this.pt[i] = pt;
    this.eta[i] = eta;
    this.phi[i] = phi;
    this.kind[i] = kind;
    this.displaced[i] = displaced ? 1 : 0;
  }

  /** Moves the origin of eta and phi to the mean direction, weighted by pT, of what lies within a radius of it. */
  centre(radius: number): void {
    for (let pass = 0; pass < 2; pass++) {
      let sum = 0, eta = 0, phi = 0;
      for (let i = 0; i < this.count; i++) {
        if (this.eta[i]! ** 2 + this.phi[i]! ** 2 > radius ** 2) continue;
        sum += this.pt[i]!;
        eta += this.pt[i]! * this.eta[i]!;
        phi += this.pt[i]! * this.phi[i]!;
      }
      for (let i = 0; i < this.count; i++) {
        this.eta[i]! -= eta / sum;
        this.phi[i]! -= phi / sum;
      }
    }
  }

  /** Mass and transverse momentum of the massless particles within a radius of the origin. */
  jet(radius: number): { mass: number; pt: number } {
    let e = 0, x = 0, y = 0, z = 0;
    for (let i = 0; i < this.count; i++) {
      const pt = this.pt[i]!, eta = this.eta[i]!, phi = this.phi[i]!;
      if (eta * eta + phi * phi > radius * radius) continue;
      e += pt * Math.cosh(eta);
      x += pt * Math.cos(phi);
      y += pt * Math.sin(phi);
      z += pt * Math.sinh(eta);
    }
    return { mass: Math.sqrt(Math.max(0, e * e - x * x - y * y - z * z)), pt: Math.sqrt(x * x + y * y) };
  }

  /** Multiplies all momenta. */
  scale(factor: number): void {
    for (let i = 0; i < this.count; i++) this.pt[i]! *= factor;
  }

  #grow(): void {
    const size = 2 * this.pt.length;
    const floats = (old: Float64Array<ArrayBuffer>) => {
      const grown = new Float64Array(size);
      grown.set(old);
      return grown;
    };
    const bytes = (old: Uint8Array<ArrayBuffer>) => {
      const grown = new Uint8Array(size);
      grown.set(old);
      return grown;
    };
    [this.pt, this.eta, this.phi] = [floats(this.pt), floats(this.eta), floats(this.phi)];
    [this.kind, this.displaced] = [bytes(this.kind), bytes(this.displaced)];
  }
}
