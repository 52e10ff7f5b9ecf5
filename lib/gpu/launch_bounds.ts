/**
 * @file What an adapter sets bounds to in a launch: workgroups, and the turns of loops.
 *
 * A launch has a number of workgroups, and an adapter takes so many along an axis.
 *
 * They lie in rows along x, and the rows along y. kernels/lib/invocation.wgsl is the other side: it numbers them again.
 */

/** Most workgroups along each axis of a launch. */
export interface GridLimits {
  /** In a row. */
  readonly x: number;
  /** Rows. */
  readonly y: number;
}

/** Most workgroups of a launch: kernels number the invocations of each, up to 64, with 32 bits. */
const MOST = 2 ** 26;

/**
 * Turns that the loops of an invocation may take together on a software adapter. Mesa's llvmpipe ends every loop after its first
 * turn from then on, and reports nothing.
 */
export const MOST_TURNS = 65_535;

/** Most workgroups that a launch may have. */
export function mostWorkgroups({ x, y }: GridLimits): number {
  return Math.min(MOST, x * y);
}

/**
 * Columns and rows of workgroups that hold so many: no more rows than it takes, and all of one length, so that few are left over.
 *
 * @param workgroups a whole number from 1 to {@linkcode mostWorkgroups}
 * @param rows most, where the adapter allows rows of that length; fewer if fewer of this length hold them all
 */
export function layOut(workgroups: number, limits: GridLimits, rows = 1): readonly [x: number, y: number] {
  const y = Math.ceil(workgroups / Math.min(limits.x, Math.ceil(workgroups / rows)));
  return [Math.ceil(workgroups / y), y];
}
