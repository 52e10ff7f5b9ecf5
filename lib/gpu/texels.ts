/**
 * @file Textures that kernels read tensors from: see kernels/lib/texels.wgsl.
 *
 * A binding that a kernel declares as a texture has one in each plan, as large as the largest tensor that is ever bound to it. A tensor
 * is copied there right before the launch that binds it, unless it is there already from a launch before.
 */

import type { Gpu } from "./device.ts";
import { boundAs, type Dispatch, type Place, type Storage, wholeOf } from "./dispatch.ts";

/** Texels in a row: TEXELS in kernels/lib/texels.wgsl. */
const WIDTH = 2048;
/** Rows that a texture of any adapter may have. */
const MOST_ROWS = 8192;
/** Bytes of a texel. */
const TEXEL = 16;

/** True if a tensor of so many bytes fits a texture of any adapter. */
export function fitsTexels(bytes: number): boolean {
  return bytes % TEXEL === 0 && bytes <= WIDTH * MOST_ROWS * TEXEL;
}

/** A tensor and the binding that reads it from a texture. */
export type Sampled = readonly [name: string, storage: Storage];

/**
 * What has to be copied before each dispatch.
 *
 * @param firsts numbers of dispatches that may follow any other: what is in a texture then is not known
 */
export function copiesFor(dispatches: readonly Dispatch[], firsts: ReadonlySet<number>): readonly (readonly Sampled[])[] {
  const held = new Map<string, Storage>();
  return dispatches.map((dispatch, i) => {
    if (firsts.has(i)) held.clear();
    const missing = boundAs("texels", dispatch).filter(([name, storage]) => held.get(name) !== storage);
    for (const [name, storage] of missing) held.set(name, storage);
    const written = new Set(boundAs("read_write", dispatch).map(([, storage]) => wholeOf(storage)));
    for (const [name, storage] of held) {
      // what outlives the plan may be written under another name
      if (storage.place || storage.within || written.has(storage)) held.delete(name);
    }
    return missing;
  });
}

/** The textures of a plan. */
export class Texels {
  readonly #textures = new Map<string, GPUTexture>();
  /** Bytes of adapter memory that they take. */
  readonly bytes: number;

  /** Makes a texture for each binding that is one. */
  constructor(gpu: Gpu, dispatches: readonly Dispatch[]) {
    const largest = new Map<string, number>();
    for (const [name, { bytes }] of dispatches.flatMap((dispatch) => boundAs("texels", dispatch))) {
      largest.set(name, Math.max(bytes, largest.get(name) ?? 0));
    }
    for (const [name, bytes] of largest) this.#textures.set(name, gpu.createTexture(WIDTH, Math.ceil(bytes / TEXEL / WIDTH), name));
    this.bytes = [...this.#textures.values()].reduce((sum, { width, height }) => sum + width * height * TEXEL, 0);
  }

  /** What to bind for a binding. */
  view(name: string): GPUTextureView {
    return this.#textures.get(name)!.createView();
  }

  /** Copies a tensor to the texture of a binding. */
  copy(encoder: GPUCommandEncoder, name: string, { buffer, offset }: Place, bytes: number): void {
    const texture = this.#textures.get(name)!, texels = bytes / TEXEL;
    const rows = Math.floor(texels / WIDTH), rest = texels % WIDTH;
    const bytesPerRow = WIDTH * TEXEL;
    if (rows > 0) encoder.copyBufferToTexture({ buffer, offset, bytesPerRow }, { texture }, [WIDTH, rows]);
    const last = { buffer, offset: offset + rows * bytesPerRow };
    if (rest > 0) encoder.copyBufferToTexture(last, { texture, origin: [0, rows] }, [rest, 1]);
  }

  /** Frees them. */
  [Symbol.dispose](): void {
    for (const texture of this.#textures.values()) texture.destroy();
  }
}
