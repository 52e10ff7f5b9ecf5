/** @file Which tokens of an image are seen: drawing, taking and putting back. */

import pickSource from "../../../kernels/pick_tokens.wgsl" with { type: "text" };
import maskSource from "../../../kernels/random_mask.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";

const MASK = kernelOf("random_mask", maskSource);
const PICK = kernelOf("pick_tokens", pickSource);

/** Which tokens of each image are visible; the others are masked. */
export interface TokenMask {
  /** (B, V) u32: the visible tokens, in a random order. */
  readonly keep: Tensor;
  /** (B, N) u32: place of each token in that order; it is visible if the place is below V. */
  readonly restore: Tensor;
}

/**
 * Draws the visible tokens of each image.
 *
 * @param batch images
 * @param tokens of an image
 * @param visible of them
 */
export function randomMask(tape: Tape, batch: number, tokens: number, visible: number): TokenMask {
  const words = randomWords(tape, batch, tokens);
  const restore = tape.tensor("places of tokens", [batch, tokens], "u32");
  const keep = tape.tensor("visible tokens", [batch, visible], "u32");
  tape.dispatch({
    kernel: MASK,
    entry: "rank",
    label: "mask",
    constants: { N: tokens, KEEP: visible },
    bindings: { words, restore, keep },
    extent: () => ({ workgroups: workgroupsFor(batch * tokens), turns: turnsOf(tokens) }),
  });
  return { keep, restore };
}

/** A random word for each token of each image: (batch, tokens) u32. */
export function randomWords(tape: Tape, batch: number, tokens: number): Tensor {
  const words = tape.tensor("words of the mask", [batch, tokens], "u32");
  const dims = { stream: tape.nextStream() };
  tape.dispatch({
    kernel: MASK,
    entry: "draw",
    label: "mask",
    constants: { N: tokens, ...tape.placement },
    bindings: { words_out: words, step: tape.step },
    extent: () => ({ dims, workgroups: workgroupsFor(batch * tokens) }),
  });
  return words;
}

/**
 * The visible tokens.
 *
 * @param x (B, N, D)
 * @returns (B, V, D)
 */
export function takeVisible(tape: Tape, x: Tensor, { keep, restore }: TokenMask): Tensor {
  const y = pick(tape, x, keep);
  tape.derive(y, [x], (dy) => tape.accumulate(x, pick(tape, dy, restore)));
  return y;
}

/**
 * The visible tokens back in their places, and one vector in all others.
 *
 * @param x (B, V, D)
 * @param masked (1, 1, D), what stands for a masked token
 * @returns (B, N, D)
 */
export function fillMasked(tape: Tape, x: Tensor, masked: Parameter, { keep, restore }: TokenMask): Tensor {
  const y = pick(tape, x, restore, masked);
  tape.derive(y, [x, masked], (dy) => {
    const dmasked = tape.tensor(`gradient of ${masked.name} by token`, dy.shape);
    tape.dispatch({ ...launchOf(dmasked, keep.shape[1]!), entry: "beyond", bindings: { x: dy, index: restore, y: dmasked } });
    tape.accumulateParameter(masked, (target) => columnSum(tape, dmasked, target));
    tape.accumulate(x, pick(tape, dy, keep));
  });
  return y;
}

function pick(tape: Tape, x: Tensor, index: Tensor, filler?: Tensor): Tensor {
  const [batch, from, dim] = x.shape as [number, number, number];
  const y = tape.tensor(`tokens of ${x.storage.label}`, [batch, index.shape[1]!, dim]);
  const { constants, ...launch } = launchOf(y, from);
  tape.dispatch({
    ...launch,
    constants: { ...constants, FILLED: filler !== undefined },
    entry: "pick",
    bindings: { x, index, y, ...(filler && { filler }) },
  });
  return y;
}

/** What launches that write tokens have in common. */
function launchOf(y: Tensor, from: number) {
  const [, to, dim] = y.shape as [number, number, number];
  const { type, count } = numbersIn(dim);
  return {
    kernel: PICK,
    label: y.storage.label,
    constants: { Number: type, FROM: from, TO: to, NUMBERS: count },
    extent: () => ({ workgroups: workgroupsFor(sizeOf(y.shape) / dim * count) }),
  };
}
