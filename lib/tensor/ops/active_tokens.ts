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
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor, type Tokens } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("active_tokens", tokensSource);
const MOVE = kernelOf("move_tokens", moveSource);

/** Words of `struct Tokens` in kernels/lib/tokens.wgsl before its table. */
const HEADER = 5;

/**
 * The active tokens of a batch.
 *
 * @param marks (B, N) u32: 1 where a place is active, else 0
 * @param most active places of an image
 */
export function activeTokens(tape: Tape, marks: Tensor, most: number): Tokens {
  const [images, places] = marks.shape as [number, number];
  const capacity = images * most;
  const table = tape.tensor("active tokens", [HEADER + images + 1 + 2 * capacity], "u32");
  const rows = tape.tensor("rows of active tokens", [images, places], "u32");
  const launch = (entry: string, bindings: Record<string, Tensor>, items: number, turns = 0) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: "active tokens",
      constants: { N: places },
      bindings,
      extent: () => ({ dims: { images, capacity }, workgroups: workgroupsFor(items), turns }),
    });
  launch("count", { marks, made: table }, images, turnsOf(places));
  launch("start", { made: table }, 1, 2 * turnsOf(images));
  launch("number", { marks, made: table, rows }, images, turnsOf(places));
  return { images, places, most, capacity, table, rows };
}

/** A tensor (tokens, D) of active tokens. */
export function tokenTensor(tape: Tape, name: string, tokens: Tokens, dim: number): Tensor {
  return tape.tensor(name, [tokens.capacity, dim], "f32", tokens);
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
  const { rows, places } = (x.tokens ?? y.tokens)!;
  const constants = { Number: type, NUMBERS: count, N: places };
  const size = (to: Tensor) => ({
    tokens: to.tokens ?? null,
    extent: () => ({ workgroups: workgroupsFor(sizeOf(to.shape) / dim * count) }),
  });
  const take = (from: Tensor, to: Tensor, filler?: Tensor) =>
    tape.dispatch({
      kernel: MOVE,
      entry: "take",
      label: to.storage.label,
      constants: { ...constants, FROM_ALL: !from.tokens, FILLED: filler !== undefined },
      bindings: { x: from, y: to, ...(from.tokens && { rows: from.tokens.rows }), ...(filler && { filler }) },
      ...size(to),
    });
  take(x, y, filler);
  tape.derive(y, [x, filler], (dy) => {
    if (filler) {
      const missing = tape.like(dy, `gradient of ${filler.name} by token`);
      tape.dispatch({
        kernel: MOVE,
        entry: "missing",
        label: filler.name,
        constants,
        bindings: { x: dy, rows, y: missing },
        ...size(dy),
      });
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
  const { images, places, rows } = x.tokens!;
  const { type, count } = numbersIn(x.shape.at(-1)!);
  tape.dispatch({
    kernel: MOVE,
    entry: "add_up",
    label: target.storage.label,
    constants: { Number: type, NUMBERS: count, N: places },
    bindings: { x, rows, y: target },
    tokens: null,
    extent: () => ({ workgroups: workgroupsFor(places * count), turns: turnsOf(images) }),
  });
}
