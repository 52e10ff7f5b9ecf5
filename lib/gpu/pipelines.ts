/**
 * @file Compiled kernels, each made once per device.
 *
 * A pipeline is named by its file, its entry point and its constants. Its bind group layout comes from
 * the declarations in the file: the caller names the buffers it passes, and the access that the file
 * declares decides how each may be used.
 */

import type { Implementation } from "./adapter.ts";
import type { Kernel, Specialisation } from "./kernel.ts";
import { type Access, type Binding, type Constants, specialise } from "./wgsl.ts";

/** A compiled entry point and what it binds. */
export interface Pipeline {
  /** File and entry point. */
  readonly label: string;
  /** The compiled entry point. */
  readonly compute: GPUComputePipeline;
  /** Layout of bind group 0. */
  readonly layout: GPUBindGroupLayout;
  /** What it binds, by the name in the file. */
  readonly bindings: ReadonlyMap<string, Binding>;
}

/** What a layout says of what is bound. */
const KINDS: Readonly<Record<Access, Omit<GPUBindGroupLayoutEntry, "binding" | "visibility">>> = {
  read: { buffer: { type: "read-only-storage" } },
  read_write: { buffer: { type: "storage" } },
  uniform: { buffer: { type: "uniform" } },
  texels: { texture: { sampleType: "unfilterable-float" } },
  sampler: { sampler: { type: "non-filtering" } },
};

/** The pipelines of one device. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #implementation: Implementation;
  readonly #refused: (error: GPUError, what: string) => void;
  /** Pipelines that have been submitted: a driver may compile one at its first use only. */
  readonly started: WeakSet<Pipeline> = new WeakSet();
  readonly #launched = new Map<string, Specialisation>();
  /** By the text of the file, then by entry point, bindings and constants. */
  readonly #pipelines = new Map<string, Map<string, Pipeline>>();

  /**
   * An empty cache for a device.
   *
   * @param implementation whose WebGPU the device is of
   * @param refused is told of a kernel that the adapter refuses, some time after it was asked for
   */
  constructor(device: GPUDevice, implementation: Implementation, refused: (error: GPUError, what: string) => void) {
    this.#device = device;
    this.#implementation = implementation;
    this.#refused = refused;
  }

  /** Number of pipelines compiled so far. */
  get size(): number {
    return [...this.#pipelines.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** All that plans of the device launch, compiled or not yet. */
  get launched(): Specialisation[] {
    return [...this.#launched.values()];
  }

  /** Takes note of what a plan will launch. */
  note({ kernel, entry, constants }: Specialisation): void {
    this.#launched.set(JSON.stringify([kernel.name, entry, constants]), { kernel, entry, constants });
  }

  /**
   * The pipeline for an entry point of a kernel, compiled at first use.
   *
   * @param kernel file
   * @param entry name of the entry point
   * @param names the bindings that the caller passes
   * @param constants values for the file's `const` declarations
   * @throws {Error} if the file does not declare a binding or constant
   */
  get(kernel: Kernel, entry: string, names: readonly string[], constants: Constants): Pipeline {
    let ofFile = this.#pipelines.get(kernel.source);
    if (!ofFile) this.#pipelines.set(kernel.source, ofFile = new Map());
    const key = JSON.stringify([entry, names, constants]);
    let pipeline = ofFile.get(key);
    if (!pipeline) ofFile.set(key, pipeline = this.#compile(kernel, entry, names, constants));
    return pipeline;
  }

  #compile(kernel: Kernel, entry: string, names: readonly string[], constants: Constants): Pipeline {
    const device = this.#device;
    const label = `${kernel.name}.${entry}`;
    const bindings = new Map(names.map((name) => {
      const binding = kernel.bindings.get(name);
      if (!binding) throw new Error(`Cannot bind "${name}": kernel ${label} does not declare it`);
      return [name, binding];
    }));
    // the adapter's own messages do not always name the kernel
    device.pushErrorScope("validation");
    const layout = device.createBindGroupLayout({
      label,
      entries: [...bindings.values()].map(({ index, access }) => ({
        binding: index,
        visibility: GPUShaderStage.COMPUTE,
        ...KINDS[access],
      })),
    });
    const code = enabled(specialise(kernel.source, constants, entry), this.#implementation);
    const module = device.createShaderModule({ label, code });
    const compute = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: entry },
    });
    device.popErrorScope().then((error) => error && this.#refused(error, `kernel ${label}`));
    return { label, compute, layout, bindings };
  }
}

/**
 * A kernel with the line that its implementation wants before the first use of subgroups.
 *
 * @param code the whole text, specialised
 */
export function enabled(code: string, { enablesSubgroups }: Pick<Implementation, "enablesSubgroups">): string {
  return enablesSubgroups && /\bsubgroup\w+\(/.test(code) ? `enable subgroups;\n${code}` : code;
}
