/** @file SimCLR: two augmented views of each image must find each other (Chen et al., arXiv:2002.05709). */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { declareProjection, project } from "../nn/projection_head.ts";
import { ntXent } from "../tensor/ops/losses.ts";
import { wholeBatch } from "../tensor/ops/part_sums.ts";
import { contrastiveAugmentation } from "./augmentation.ts";
import type { Objective } from "./pretraining.ts";

/**
 * NT-Xent on pairs of views; "acc" is the share of views whose nearest neighbour is their other view.
 *
 * @throws {ConfigError} if a batch has no others, or the views of an image cannot differ
 */
export function simclr(config: RunConfig): Objective {
  const { model: { embed_dim, projection_dim }, training: { temperature, accumulate }, data: { batch_size } } = config;
  if (accumulate * batch_size < 2) {
    throw new ConfigError(
      `data.batch_size is ${batch_size}: SimCLR tells an image from the others of its batch, so that it needs at least 2`,
    );
  }
  return {
    metrics: ["loss", "acc"],
    views: 2,
    augmentation: contrastiveAugmentation(config),
    batchesPerStep: 2,
    model: { extra: (declarations) => declareProjection(declarations, embed_dim, projection_dim) },
    record(tape, model, images) {
      const z = wholeBatch(tape, project(tape, model, model.features(tape, images)));
      const { loss, correct } = ntXent(tape, z, temperature);
      const scale = 1 / z.shape[0]!;
      return { loss, metrics: { loss: [loss, scale], acc: [correct, scale] } };
    },
  };
}
