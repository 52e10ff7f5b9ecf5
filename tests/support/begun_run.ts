/** @file Runs that were cut, and their checkpoints. */

import { decodeSafetensors, encodeSafetensors } from "../../lib/io/safetensors.ts";
import { hashOfResume } from "../../lib/train/checkpoint.ts";
import { succeed, type Workspace } from "./tasks.ts";
import { FINETUNE_TOY } from "./toy.ts";

/** A model that is trained in a moment. */
export const SMALL = ["--set", "model.embed_dim=8"];

/** Ends a run after two epochs; the same arguments with another number of epochs go on. */
export async function begunRun(workspace: Workspace): Promise<readonly string[]> {
  const run = [...FINETUNE_TOY, ...SMALL, "--out", "runs/f"];
  await succeed(workspace, "finetune", ...run, "--set", "training.epochs=2");
  await rewriteResume(workspace, (metadata) => {
    const state = { ...JSON.parse(metadata["state"]!), finished: null };
    const config = JSON.parse(metadata["config"]!);
    config.training.epochs = 3;
    return { ...metadata, state: JSON.stringify(state), config: JSON.stringify(config) };
  });
  return [...run, "--set", "training.epochs=3"];
}

/** Changes what a checkpoint says, its hash included. */
export async function rewriteResume(
  workspace: Workspace,
  change: (metadata: Record<string, string>) => Record<string, string>,
): Promise<void> {
  const { tensors, metadata } = decodeSafetensors(workspace.read("runs/f/resume.safetensors"));
  const changed = change(metadata);
  const contents = { tensors, metadata: { ...changed, sha256: await hashOfResume({ tensors, metadata: changed }) } };
  Deno.writeFileSync(`${workspace.root}runs/f/resume.safetensors`, encodeSafetensors(contents));
}
