/**
 * @file Elementwise work on a gradient that an operation leaves to whichever computes that gradient.
 *
 * An operation that ends in an elementwise function needs the gradient of what comes before it: a pass over a whole tensor, unless the
 * one that computes the gradient does it on the way. So the operation defers the work on its output ({@linkcode Tape.defer} in tape.ts),
 * the other takes what kinds of work it knows ({@linkcode Tape.take}), and the tape has done in passes of their own what nobody took.
 */

import type { Tensor } from "./tensor.ts";

/** A kind of work, which needs to know a value. */
export class WorkKind<T> {
  /** What it is called. */
  readonly name: string;

  /** A kind that differs from all others. */
  constructor(name: string) {
    this.name = name;
  }

  /**
   * Work of this kind.
   *
   * @param value what whoever does it needs to know
   * @param apply does it in a pass of its own: the gradient after it from the gradient before it
   */
  of(value: T, apply: (gradient: Tensor) => Tensor): Work<T> {
    return { kind: this, value, apply };
  }

  /** The value of the work of this kind, if there is any. */
  valueIn(work: readonly Work[]): T | undefined {
    return work.find(({ kind }) => kind === this)?.value as T | undefined;
  }
}

/** Elementwise work on a gradient. */
export interface Work<T = unknown> {
  /** Its kind. */
  readonly kind: WorkKind<T>;
  /** What whoever does it needs to know. */
  readonly value: T;
  /** Does it in a pass of its own. */
  readonly apply: (gradient: Tensor) => Tensor;
}

/** The gradient after all work, each in a pass of its own, in order. */
export function applyAll(work: readonly Work[], gradient: Tensor): Tensor {
  return work.reduce((done, { apply }) => apply(done), gradient);
}
