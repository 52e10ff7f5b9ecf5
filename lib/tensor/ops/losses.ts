/**
 * @file Losses. Each gives its value for every row; the loss is the mean over rows, times a weight.
 *
 * A loss ends a computation: its kernel writes the gradient together with the value, and
 * `Tape.backward` starts from it.
 */

import crossEntropySource from "../../../kernels/cross_entropy.wgsl" with { type: "text" };
import maskedErrorSource from "../../../kernels/masked_error.wgsl" with { type: "text" };
import ntXentSource from "../../../kernels/nt_xent.wgsl" with { type: "text" };
import smoothL1Source from "../../../kernels/smooth_l1.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Loss, Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";
import type { ImageLayout } from "./images.ts";
import { matmul } from "./matmul.ts";
import type { TokenMask } from "./tokens.ts";

const CROSS_ENTROPY = kernelOf("cross_entropy", crossEntropySource);
const SMOOTH_L1 = kernelOf("smooth_l1", smoothL1Source);
const MASKED_ERROR = kernelOf("masked_error", maskedErrorSource);
const NT_XENT = kernelOf("nt_xent", ntXentSource);

/**
 * Softmax cross entropy.
 *
 * @param logits (B, classes)
 * @param label (B), class numbers
 * @param weight factor of the mean in the total loss
 * @param smoothing part of the label's share that all classes get alike, as PyTorch's label_smoothing
 * @param weights what each row counts (B), and each class beside that (classes); 1 where not given
 * @returns loss (B), and 1, or the row's weight, for each row whose largest logit is the label's
 */
export function crossEntropy(
  tape: Tape,
  logits: Tensor,
  label: Tensor,
  weight = 1,
  smoothing = 0,
  weights: { readonly rows?: Tensor | undefined; readonly classes?: Tensor | undefined } = {},
): { loss: Loss; correct: Tensor } {
  const [rows, classes] = logits.shape as [number, number];
  const loss: Loss = { ...tape.tensor("cross entropy", [rows]), isLoss: true };
  const correct = tape.tensor("correct", [rows]);
  const dlogits = tape.tensor(`gradient of ${logits.storage.label}`, logits.shape);
  tape.dispatch({
    kernel: CROSS_ENTROPY,
    entry: "forward",
    label: loss.storage.label,
    constants: {
      CLASSES: classes,
      WEIGHT: weight,
      SMOOTHING: smoothing,
      WEIGHTED: weights.rows !== undefined,
      BALANCED: weights.classes !== undefined,
    },
    bindings: {
      logits,
      label,
      loss,
      correct,
      dlogits,
      row_weight: weights.rows ?? tape.unused,
      class_weight: weights.classes ?? tape.unused,
    },
    extent: () => ({ workgroups: workgroupsFor(rows), turns: 3 * turnsOf(classes) }),
  });
  tape.derive(loss, [logits], () => tape.accumulate(logits, dlogits));
  return { loss, correct };
}

/** What a column of predictions means, where it stands for logarithms: they are those of values, less `mean` and over `std`. */
export interface Logarithms {
  readonly mean: number;
  readonly std: number;
}

/**
 * Smooth L1 with its bend at 1, of one target or several: the loss is the mean over rows and targets.
 *
 * @param prediction (B, T)
 * @param goal (B, T)
 * @param weight factor of the mean in the total loss
 * @param logarithms for each target, if it is learned as logarithms: its distance is then that of what they are logarithms of
 * @param rowWeight what each row counts (B); 1 if not given
 * @returns loss (B, T), and for each target |prediction - goal| (B)
 */
export function smoothL1(
  tape: Tape,
  prediction: Tensor,
  goal: Tensor,
  weight = 1,
  logarithms: readonly (Logarithms | undefined)[] = [],
  rowWeight?: Tensor,
): { loss: Loss; distances: Tensor[] } {
  const [rows, targets = 1] = goal.shape as [number, number?];
  const loss: Loss = { ...tape.tensor("smooth L1", goal.shape), isLoss: true };
  const dprediction = tape.tensor(`gradient of ${prediction.storage.label}`, prediction.shape);
  const distances = Array.from({ length: targets }, (_, target) => {
    const distance = tape.tensor("distance", [rows]), { mean, std } = logarithms[target] ?? { mean: 0, std: 1 };
    tape.dispatch({
      kernel: SMOOTH_L1,
      entry: "forward",
      label: loss.storage.label,
      constants: {
        WEIGHT: weight,
        LOG: logarithms[target] !== undefined,
        MEAN: mean,
        STD: std,
        WEIGHTED: rowWeight !== undefined,
        TARGETS: targets,
        TARGET: target,
      },
      bindings: { prediction, goal, loss, distance, dprediction, row_weight: rowWeight ?? tape.unused },
      extent: () => ({ workgroups: workgroupsFor(rows) }),
    });
    return distance;
  });
  tape.derive(loss, [prediction], () => tape.accumulate(prediction, dprediction));
  return { loss, distances };
}

/**
 * Mean squared error of the pixels of masked tokens.
 *
 * @param prediction (B, N, F), pixels of a patch in the order (row, column, channel)
 * @param patches (B, N, F), as the patch embedding reads them
 * @param layout sizes of the images
 * @param mask which tokens count
 * @returns loss (B, N), zero for visible tokens; the total is its sum over the number of masked tokens
 */
export function maskedError(
  tape: Tape,
  prediction: Tensor,
  patches: Tensor,
  { channels, patch }: Pick<ImageLayout, "channels" | "patch">,
  { keep, restore }: TokenMask,
): Loss {
  const [batch, tokens] = prediction.shape as [number, number, number];
  const loss: Loss = { ...tape.tensor("masked error", [batch, tokens]), isLoss: true };
  const constants = { PATCH: patch, CHANNELS: channels, N: tokens, KEEP: keep.shape[1]! };
  const inputs = { prediction, patches, restore };
  const launch = (entry: string, y: Record<string, Tensor>, invocations: number) =>
    tape.dispatch({
      kernel: MASKED_ERROR,
      entry,
      label: loss.storage.label,
      constants,
      bindings: { ...inputs, ...y },
      extent: () => ({ workgroups: workgroupsFor(invocations), turns: turnsOf(channels * patch ** 2) }),
    });
  launch("forward", { loss }, batch * tokens);
  tape.derive(loss, [prediction], () => {
    const dprediction = tape.tensor(`gradient of ${prediction.storage.label}`, prediction.shape);
    launch("backward", { dprediction }, sizeOf(prediction.shape));
    tape.accumulate(prediction, dprediction);
  });
  return loss;
}

/**
 * NT-Xent, the loss of SimCLR.
 *
 * @param z (2 n, D) of unit length: first views of n images, then their second views
 * @param temperature divides the similarities
 * @returns loss (2 n), and 1 for each row whose nearest neighbour is its other view
 */
export function ntXent(tape: Tape, z: Tensor, temperature: number): { loss: Loss; correct: Tensor } {
  const [rows, dim] = z.shape as [number, number];
  const similarity = tape.tensor("similarities", [rows, rows]);
  const loss: Loss = { ...tape.tensor("NT-Xent", [rows]), isLoss: true };
  const lse = tape.tensor("log of sums", [rows]);
  const correct = tape.tensor("correct", [rows]);
  const launch = { kernel: NT_XENT, label: loss.storage.label, constants: {} };
  matmul(tape, z, z, similarity, [rows, rows, dim], { bTransposed: true, alpha: 1 / temperature });
  const outputs = { lse_out: lse, loss, correct };
  const extent = () => ({ workgroups: workgroupsFor(rows), turns: 2 * turnsOf(rows) });
  tape.dispatch({ ...launch, entry: "forward", bindings: { s: similarity, ...outputs }, extent });
  tape.derive(loss, [z], () => {
    const h = tape.tensor("gradient of similarities", [rows, rows]);
    const dz = tape.tensor(`gradient of ${z.storage.label}`, z.shape);
    const bindings = { s: similarity, lse, h };
    tape.dispatch({ ...launch, entry: "backward", bindings, extent: () => ({ workgroups: workgroupsFor(rows * rows) }) });
    matmul(tape, h, z, dz, [rows, dim, rows], { alpha: 1 / temperature });
    tape.accumulate(z, dz);
  });
  return { loss, correct };
}
