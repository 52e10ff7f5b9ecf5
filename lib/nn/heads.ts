/**
 * @file The heads of a model: what is predicted from an image's features. A new one is an entry here; its loss is in `lib/train/finetune.ts`.
 */

import type { ModelConfig } from "./config.ts";

/** What outputs of heads are called. */
export type HeadOutput = "logits" | "targets";

/** What a head of the model predicts. */
export type Head = "classes" | "masses";

/** How a head is made, and what it is for. */
interface HeadEntry {
  /** What its output is called. */
  readonly output: HeadOutput;
  /** What it predicts, for messages and weight files. */
  readonly predicts: Head;
  /** Numbers that it gives for an image. */
  readonly width: (config: ModelConfig) => number;
  /** Key under training of the weight that its loss has. */
  readonly lossWeight: "lambda_cls" | "lambda_reg";
}

/** All heads, by the name that their tensors begin with. */
export const HEADS: Readonly<Record<string, HeadEntry>> = {
  cls_head: { output: "logits", predicts: "classes", width: ({ num_classes }) => num_classes, lossWeight: "lambda_cls" },
  reg_head: { output: "targets", predicts: "masses", width: ({ num_targets = 1 }) => num_targets, lossWeight: "lambda_reg" },
};

/** True for a tensor that belongs to a head. */
export function isHead(name: string): boolean {
  return Object.keys(HEADS).some((head) => name.startsWith(head));
}
