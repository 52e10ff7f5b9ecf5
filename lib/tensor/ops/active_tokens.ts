/**
 * @file Active tokens: the places of a batch's images at which there is something. Most patches of a detector image are empty; a model
 * may compute the others alone.
 *
 * Their tensors have a row for each token, image by image. How many there are is known on the adapter only, and stays there: kernels
 * read it (kernels/lib/tokens.wgsl), and launches have invocations for the most that there may be, of which the last ones end at once.
 * That is as fast as launches whose size the adapter reads from a buffer, and needs no check of that size.
 */

import tokensSource from "../../../kernels/active_tokens.wgsl" with { type: "text" };
import moveSource from "../../../kernels/move_tokens.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Constants } from "../../gpu/wgsl.ts";
import type { Bindings } from "../launch.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor, type Tokens } from "../tensor.ts";
import { addPartials, columnSum } from "./column_sum.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("active_tokens", tokensSource);
const MOVE = kernelOf("move_tokens", moveSource);

/** Words of `struct Tokens` in kernels/lib/tokens.wgsl before its table. */
export const HEADER = 5;

/**
 * The active tokens of a batch.
 *
 * @param marks (B, N) u32: 1 where a place is active, else 0; the places are a square grid in row-major order
 * @param most active places of an image
 * @param atOnce images that are bound at once; all by default
 */
export function activeTokens(tape: Tape, marks: Tensor, most: number, atOnce: number = marks.shape[0]!): Tokens {
  const [images, places] = marks.shape as [number, number];
  const grid = Math.sqrt(places);
  const rows = tape.tensor("rows of active tokens", [images, places], "u32");
  const lines = tape.tensor("lines of active tokens", [images, grid, lineOf(grid)], "u32");
  const tables = Array.from({ length: Math.ceil(images / atOnce) }, (_, index) => {
    const first = index * atOnce, range = Math.min(atOnce, images - first), capacity = range * most;
    const made = tape.tensor("active tokens", [HEADER + images + 1 + capacity], "u32");
    const launch = (entry: string, bindings: Record<string, Tensor>, items: number, turns = 0) =>
      tape.dispatch({
        kernel: KERNEL,
        entry,
        label: "active tokens",
        constants: { N: places, GRID: grid },
        bindings,
        extent: () => ({ dims: { images, first, range, capacity }, workgroups: workgroupsFor(items), turns }),
      });
    launch("count", { marks, made }, images, turnsOf(places));
    launch("start", { made }, 1, 2 * turnsOf(images));
    launch("number", { marks, made, rows_out: rows }, range, turnsOf(places));
    launch("lines", { rows, lines_out: lines }, range * grid, turnsOf(lineOf(grid), turnsOf(Math.min(grid, 32))));
    return made;
  });
  return { images, places, most, atOnce, tables, rows, lines };
}

/** Words for a row of the grid: of its first token, and of which columns are tokens. */
export function lineOf(grid: number): number {
  return 1 + Math.ceil(grid / 32);
}

/** Images that can be bound at once, if a place of theirs has at most so many values. */
export function imagesAtOnce(tape: Tape, images: number, places: number, values: number): number {
  // a range may begin at any image that a single number for each begins a range at
  return tape.atOnce(images, [tape.tensor("all places", [images, places, values]), tape.tensor("images", [images])]);
}

/** A tensor (tokens, D) of active tokens. */
export function tokenTensor(tape: Tape, name: string, tokens: Tokens, dim: number): Tensor {
  return tape.tensor(name, [tokens.images * tokens.most, dim], "f32", tokens);
}

/**
 * Active tokens back at their places.
 *
 * @param x (tokens, D)
 * @returns (B, N, D), zeros where no token is
 */
export function toPlaces(tape: Tape, x: Tensor): Tensor {
  const { images, places } = x.tokens!;
  return move(tape, x, tape.tensor(`${x.storage.label} at its places`, [images, places, x.shape.at(-1)!]));
}

/**
 * The active tokens of all places.
 *
 * @param x (B, N, D)
 * @returns (tokens, D)
 */
export function fromPlaces(tape: Tape, x: Tensor, tokens: Tokens): Tensor {
  return move(tape, x, tokenTensor(tape, `${x.storage.label} of active tokens`, tokens, x.shape.at(-1)!));
}

/**
 * Other active tokens of the same images.
 *
 * @param x (tokens, D)
 * @param tokens those of the result
 * @param filler (1, 1, D), what stands where x has no token
 */
export function otherTokens(tape: Tape, x: Tensor, tokens: Tokens, filler?: Parameter): Tensor {
  return move(tape, x, tokenTensor(tape, x.storage.label, tokens, x.shape.at(-1)!), filler);
}

/** Moves the rows of x to those of y that are at the same place of the same image. */
function move(tape: Tape, x: Tensor, y: Tensor, filler?: Parameter): Tensor {
  const dim = y.shape.at(-1)!;
  const { type, count } = numbersIn(dim);
  const { places, images } = (x.tokens ?? y.tokens)!;
  /** Moves, or what is like it, from rows that are all places or these. */
  const launch = (
    entry: string,
    constants: Constants,
    from: Tensor,
    rows: Tensor | undefined,
    to: Tensor,
    bindings: Bindings = {},
  ) =>
    tape.dispatch({
      kernel: MOVE,
      entry,
      label: to.storage.label,
      constants: { ...constants, Number: type, NUMBERS: count, N: places, FROM_ALL: !rows },
      units: images,
      cut: { x: from, y: to, ...(rows && { rows }) },
      bindings,
      tokens: to.tokens ?? null,
      extent: (range) => ({ workgroups: workgroupsFor(sizeOf(to.shape) / dim * count / images * range.count) }),
    });
  const take = (from: Tensor, to: Tensor, filler?: Tensor) =>
    launch("take", { FILLED: filler !== undefined }, from, from.tokens?.rows, to, filler && { filler });
  take(x, y, filler);
  tape.derive(y, [x, filler], (dy) => {
    if (filler) {
      const missing = tape.like(dy, `gradient of ${filler.name} by token`);
      launch("missing", {}, dy, x.tokens!.rows, missing);
      tape.accumulateParameter(filler, (target) => columnSum(tape, missing, target));
    }
    const dx = tape.like(x, `gradient of ${x.storage.label}`);
    take(dy, dx);
    tape.accumulate(x, dx);
  });
  return y;
}

/**
 * Adds up, over images, the rows of active tokens at the same place.
 *
 * @param x (tokens, D)
 * @param target (1, N, D)
 */
export function addUpPlaces(tape: Tape, x: Tensor, target: Tensor): void {
  const { images, places, rows, tables: { length: ranges } } = x.tokens!;
  const { type, count } = numbersIn(x.shape.at(-1)!);
  const sums = ranges > 1 ? tape.tensor(`partials of ${target.storage.label}`, [ranges, ...target.shape]) : target;
  tape.dispatch({
    kernel: MOVE,
    entry: "add_up",
    label: target.storage.label,
    constants: { Number: type, NUMBERS: count, N: places },
    units: images,
    cut: { x, rows },
    bindings: { y: sums },
    tokens: null,
    extent: ({ index, count: some }) => ({
      dims: { range: index },
      workgroups: workgroupsFor(places * count),
      turns: turnsOf(some),
    }),
  });
  if (ranges > 1) addPartials(tape, sums, target);
}
