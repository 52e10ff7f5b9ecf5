/** @file Boxes in a grid, such as chunks of a dataset: their numbers, the last axis counting fastest, and their places. */

/** The number of a place. */
export function numberOf(place: readonly number[], grid: readonly number[]): number {
  return place.reduce((number, at, axis) => number * grid[axis]! + at, 0);
}

/** The place of a number. */
export function placeOf(number: number, grid: readonly number[]): number[] {
  const place = grid.slice();
  for (let axis = grid.length - 1, rest = number; axis >= 0; axis--) {
    place[axis] = rest % grid[axis]!;
    rest = Math.floor(rest / grid[axis]!);
  }
  return place;
}

/** How many chunks there are along each axis. */
export function gridOf(shape: readonly number[], chunk: readonly number[]): number[] {
  return shape.map((size, axis) => Math.ceil(size / chunk[axis]!));
}

/** The product of sizes: how many elements there are. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
