/** @file SimCLR: two augmented views of each image must find each other (Chen et al., arXiv:2002.05709). */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { formatBytes } from "../format.ts";
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
    checkBinding: (most) => checkSimilarities(config, most),
    record(tape, model, images) {
      const z = wholeBatch(tape, project(tape, model, model.features(tape, images)));
      const { loss, correct } = ntXent(tape, z, temperature);
      const scale = 1 / z.shape[0]!;
      return { loss, metrics: { loss: [loss, scale], acc: [correct, scale] } };
    },
  };
}

/** Every view is compared with every other one of the batch, in one piece. */
function checkSimilarities({ training: { accumulate }, data: { batch_size } }: RunConfig, most: number): void {
  const bytes = Float32Array.BYTES_PER_ELEMENT * (2 * accumulate * batch_size) ** 2;
  if (bytes <= most) return;
  throw new ConfigError(
    `data.batch_size is ${batch_size}: the similarities of all views take ${formatBytes(bytes)}, and the adapter binds at most ${
      formatBytes(most)
    }. Use at most ${Math.floor(batch_size * Math.sqrt(most / bytes))}`,
  );
}
