/** @file The same step in what users would run instead: jax-js on the same adapter, PyTorch on the CPU. */

import type { Size, Tokens } from "./steps.ts";

/** A peer's rate, or why there is none. */
export interface PeerResult {
  readonly peer: string;
  /** Which tokens it computes. */
  readonly tokens: Tokens;
  readonly size: Size;
  readonly images_per_s: number | null;
  readonly note: string;
}

/** Folder of the peers' programs. */
export const PEERS = new URL("./peers/", import.meta.url).pathname;
/** Debian's Python, which has python3-torch and python3-h5py if they are installed. */
export const PYTHON = "/usr/bin/python3";
const SIZES = {
  small: ["--dim", "32", "--depth", "2", "--heads", "2", "--batch", "8"],
  full: ["--dim", "256", "--depth", "6", "--heads", "4", "--batch", "2"],
};

/** Runs both peers at a size, a few steps each. */
export async function benchPeers(size: Size): Promise<PeerResult[]> {
  const jax = ["run", "-A", "--quiet", "--config", `${PEERS}deno.json`, `${PEERS}jax_js_step.ts`, ...SIZES[size], "--steps", "3"];
  const torch = [`${PEERS}bench_torch.py`, "--size", size, "--batch", size === "small" ? "32" : "8", "--steps", "6"];
  const ofJax = await runPeer("deno", jax), ofTorch = await runPeer(PYTHON, torch);
  const result = (peer: string, tokens: Tokens, { output, note }: Awaited<ReturnType<typeof runPeer>>, key: string) => {
    return { peer, tokens, size, images_per_s: output ? Number(output[key]) : null, note };
  };
  return [
    result("jax-js WebGPU", "all", ofJax, "images_per_s"),
    result("PyTorch CPU", "all", ofTorch, "finetune_images_per_s"),
    result("PyTorch CPU, packed", "active wide", ofTorch, "active_images_per_s"),
  ];
}

/** What a program's last line of output says, or why there is none. */
export async function runPeer(command: string, args: string[]): Promise<{ output?: Record<string, unknown>; note: string }> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" }).output();
    const last = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n").at(-1) ?? "";
    return code === 0 ? { output: JSON.parse(last(stdout)), note: "" } : { note: last(stderr) };
  } catch (error) {
    return { note: (error as Error).message };
  }
}
