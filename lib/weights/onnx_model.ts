/** @file A trained model as an ONNX file, for programs that run models without knowing how they were made. */

import { isMassAlone } from "../data/targets.ts";
import { drawModel, type ImageAxes, ONNX_OPSET, outputNames } from "./onnx_graph.ts";
import { fitWeights, type Weights, WeightsError } from "./weights.ts";
import { encodeInfo, MASS_SCALE } from "./weights_info.ts";

/**
 * The file. It takes images as data files have them, and gives logits, probabilities and masses in GeV. Nothing is checked when it
 * runs, so all numbers are checked here.
 *
 * @param axes order of the axes of images
 * @param sha256 of the weight file, for the metadata
 * @throws {WeightsError} if the model computes active tokens, there are no heads, the scale of the masses is not known, or a number is none that can be computed with
 */
export function encodeOnnx(weights: Weights, axes: ImageAxes, sha256: string): Uint8Array<ArrayBuffer> {
  const { path, assumed, model: { tokens } } = weights;
  if (tokens === "active") {
    throw new WeightsError(
      `${path}: it computes active tokens alone (model.tokens), for which there is no ONNX here. --format torch writes its tensors`,
    );
  }
  const state = fitWeights(weights, weights.model, true);
  const unknown = MASS_SCALE.filter((key) => assumed.includes(key));
  if (unknown.length > 0) {
    if (!isMassAlone(weights.targets)) {
      throw new WeightsError(`${path}: it does not say mean and deviation of its targets, so what it predicts has no scale`);
    }
    const set = unknown.map((key) => `--set ${key}=GEV`).join(" ");
    throw new WeightsError(
      `${path}: it does not say ${unknown.join(" and ")}, so its masses have no unit. Give what you know: ${set}`,
    );
  }
  try {
    const graph = drawModel(state, weights, axes);
    return graph.encode({ opset: ONNX_OPSET, producer: "L2ViT", metadata: metadataOf(weights, axes, sha256) });
  } catch (error) {
    if (error instanceof RangeError) throw new WeightsError(`${path}: ${error.message}`);
    throw error;
  }
}

/** What a user of the file has to know, as text by key; numbers that were assumed are named as such. */
function metadataOf(weights: Weights, axes: ImageAxes, sha256: string): Record<string, string> {
  const { model, trainedOn, assumed, targets } = weights;
  // curves are of no use to those who run it
  const { history: _, ...known } = encodeInfo(weights);
  const last = trainedOn.at(-1);
  return {
    ...known,
    classes: Array.from({ length: model.num_classes }, (_, label) => label).join(),
    layout: axes,
    images_unit: "as in the data file",
    ...(isMassAlone(targets)
      ? { mass_unit: "GeV" }
      : { target_outputs: outputNames(targets).join(), target_units: targets.map(({ unit }) => unit).join() }),
    weights_sha256: sha256,
    ...(last && { split: last.split, split_seed: String(last.seed), images_sha256: last.fingerprint }),
    ...(assumed.length > 0 && { assumed: assumed.join() }),
  };
}
