/** @file Masked pretraining on active tokens: which of them are hidden, what is predicted of them, and the error of that. */

import hideSource from "../../../kernels/hide_tokens.wgsl" with { type: "text" };
import targetsSource from "../../../kernels/token_targets.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings } from "../launch.ts";
import type { Loss, Tape } from "../tape.ts";
import { sizeOf, type Tensor, type Tokens } from "../tensor.ts";
import { activeTokens, tokenTensor } from "./active_tokens.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";
import type { ImageLayout } from "./images.ts";
import { randomWords } from "./tokens.ts";

const HIDE = kernelOf("hide_tokens", hideSource);
const TARGETS = kernelOf("token_targets", targetsSource);

/** Active tokens that a model sees, and those that it has to predict. */
export interface HiddenTokens {
  /** Seen. */
  readonly visible: Tokens;
  /** To be predicted. */
  readonly hidden: Tokens;
}

/**
 * Draws the active tokens of each image that are hidden.
 *
 * @param keep part of them that stay visible: of n, max(1, floor(keep n + 1/2))
 */
export function hideTokens(tape: Tape, tokens: Tokens, keep: number): HiddenTokens {
  const { images, places, most, atOnce, rows } = tokens;
  const [visible, hidden] = ["visible", "hidden"].map((name) => tape.tensor(`${name} places`, [images, places], "u32"));
  tape.dispatch({
    kernel: HIDE,
    entry: "choose",
    label: "hidden tokens",
    constants: { N: places, KEEP: keep },
    units: images,
    cut: { words: randomWords(tape, images, places), rows, visible: visible!, hidden: hidden! },
    tokens,
    extent: ({ count }) => ({ workgroups: workgroupsFor(count * places), turns: turnsOf(places) }),
  });
  // a rounding more, since a kernel's are others
  const mostVisible = Math.min(most, Math.floor(keep * most + 1.5));
  return {
    visible: activeTokens(tape, visible!, mostVisible, atOnce),
    hidden: activeTokens(tape, hidden!, Math.max(1, Math.min(most - 1, Math.ceil((1 - keep) * most + 0.5))), atOnce),
  };
}

/** What is predicted of a token. */
export interface TokenTarget extends Pick<ImageLayout, "channels" | "patch"> {
  /** What values of the data were divided by. */
  readonly unit: number;
  /** (channels) deviation of the log of each channel's sum; the log of every pixel is predicted without. */
  readonly deviation?: Tensor | undefined;
  /** Equal ranges of the images whose means are averaged; 1, the mean over all tokens, by default. */
  readonly groups?: number;
}

/**
 * Mean squared error of predictions.
 *
 * @param prediction (tokens, F)
 * @param x (tokens, channels * patch^2), patches of the same tokens
 * @returns loss (tokens), whose sum is the mean over tokens and their numbers, averaged over groups
 */
export function tokenError(tape: Tape, prediction: Tensor, x: Tensor, target: TokenTarget): Loss {
  const { channels, patch, unit, deviation, groups = 1 } = target;
  const size = deviation ? channels : channels * patch ** 2;
  const loss: Loss = { ...tape.like(prediction, "token error", prediction.shape.slice(0, 1)), isLoss: true };
  const goal = tokenTensor(tape, "targets", prediction.tokens!, size);
  const launch = (entry: string, cut: Bindings, y: Tensor, turns = 0, bindings: Bindings = {}) => {
    const units = y.shape[0]!;
    tape.dispatch({
      kernel: TARGETS,
      entry,
      label: y.storage.label,
      constants: { CHANNELS: channels, PIXELS: patch ** 2, UNIT: unit, F: size, GROUPS: groups },
      units,
      cut,
      bindings,
      extent: ({ count }) => ({ workgroups: workgroupsFor(sizeOf(y.shape) / units * count), turns }),
    });
  };
  launch(deviation ? "sums" : "pixels", { x, target_out: goal }, goal, turnsOf(patch ** 2), deviation && { deviation });
  launch("forward", { prediction, goal, loss }, loss, turnsOf(size));
  tape.derive(loss, [prediction], () => {
    const dprediction = tape.like(prediction, `gradient of ${prediction.storage.label}`);
    launch("backward", { prediction, goal, dprediction }, dprediction);
    tape.accumulate(prediction, dprediction);
  });
  return loss;
}
