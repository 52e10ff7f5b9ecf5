/** @file The learning rate over the epochs. */

import { cos } from "../elementary.ts";

/**
 * Factor of the learning rate in an epoch: linear warmup, then a cosine to 0 (Loshchilov and Hutter,
 * arXiv:1608.03983).
 *
 * @param epoch counted from 0
 * @param warmup epochs of warmup
 * @param total epochs of the run
 */
export function learningRateFactor(epoch: number, warmup: number, total: number): number {
  if (epoch < warmup) return (epoch + 1) / warmup;
  return 0.5 * (1 + cos(Math.PI * (epoch - warmup) / Math.max(1, total - warmup)));
}
