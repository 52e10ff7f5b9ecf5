/** @file ONNX Runtime in a process of its own; its package is fetched for this, and is no dependency. */

import { temporaryFolder } from "./files.ts";

/** A model and what it is given. */
export interface OnnxJob {
  /** Where the ONNX file is. */
  readonly model: string;
  readonly images: Float32Array;
  readonly shape: readonly number[];
}

/** Outputs by name, in the model's order. */
export type OnnxOutputs = Record<string, { readonly dims: number[]; readonly data: number[] }>;

const FOLDER = new URL("../onnx_runtime/", import.meta.url).pathname;

/** Outputs of each job. */
export async function runOnnx(jobs: readonly OnnxJob[]): Promise<OnnxOutputs[]> {
  using folder = temporaryFolder();
  const list = jobs.map(({ model, images, shape }, i) => {
    const path = `${folder.path}/${i}.f32`;
    Deno.writeFileSync(path, new Uint8Array(images.slice().buffer));
    return { model, images: path, shape };
  });
  Deno.writeTextFileSync(`${folder.path}/jobs.json`, JSON.stringify(list));
  const flags = ["--quiet", "--no-prompt", "--no-check", "--frozen", "--allow-read", "--config", `${FOLDER}deno.json`];
  const args = ["run", ...flags, `${FOLDER}run.ts`, `${folder.path}/jobs.json`];
  const { code, stdout, stderr } = await new Deno.Command("deno", { args, env: { NO_COLOR: "1" } }).output();
  if (code === 0) return JSON.parse(new TextDecoder().decode(stdout));
  const lines = new TextDecoder().decode(stderr).trim().split("\n");
  throw new Error(
    `ONNX Runtime, a package of npm, could not be fetched or run: ${lines.find((line) => /error/i.test(line)) ?? lines[0]}`,
  );
}
