/** @file The same step in what users would run instead: jax-js on the same adapter, PyTorch on the CPU. */

import type { Size } from "./steps.ts";

/** A peer's rate, or why there is none. */
export interface PeerResult {
  readonly peer: string;
  readonly size: Size;
  readonly images_per_s: number | null;
  readonly note: string;
}

const FOLDER = new URL("./peers/", import.meta.url).pathname;
const SIZES = {
  small: ["--dim", "32", "--depth", "2", "--heads", "2", "--batch", "8"],
  full: ["--dim", "256", "--depth", "6", "--heads", "4", "--batch", "2"],
};

/** Runs both peers at a size, a few steps each. */
export async function benchPeers(size: Size): Promise<PeerResult[]> {
  const jax = ["run", "-A", "--quiet", "--config", `${FOLDER}deno.json`, `${FOLDER}jax_js_step.ts`, ...SIZES[size], "--steps", "2"];
  const torch = [`${FOLDER}bench_torch.py`, "--size", size, "--batch", size === "small" ? "32" : "8", "--steps", "3"];
  return [
    await one("jax-js WebGPU", size, "deno", jax, "images_per_s"),
    await one("PyTorch CPU", size, "/usr/bin/python3", torch, "finetune_images_per_s"),
  ];
}

async function one(peer: string, size: Size, command: string, args: string[], key: string): Promise<PeerResult> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" }).output();
    const decoder = new TextDecoder();
    if (code !== 0) return { peer, size, images_per_s: null, note: decoder.decode(stderr).trim().split("\n").at(-1) ?? "" };
    const line = decoder.decode(stdout).trim().split("\n").at(-1)!;
    return { peer, size, images_per_s: JSON.parse(line)[key], note: "" };
  } catch (error) {
    return { peer, size, images_per_s: null, note: (error as Error).message };
  }
}
