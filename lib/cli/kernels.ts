/** @file The work of deno task kernels: the text that the adapter gets of kernels. */

import { type Kernel, kernelOf, type Specialisation } from "../gpu/kernel.ts";
import { type Constants, entriesOf, type NumberType, specialise } from "../gpu/wgsl.ts";
import { UsageError } from "./task.ts";

const FOLDER = new URL("../../kernels/", import.meta.url);

/** What is wanted of a kernel. */
export interface KernelOptions {
  /** The entry point; all by default. */
  readonly entry?: string | undefined;
  /** Constants as "NAME=VALUE". */
  readonly set: readonly string[];
}

/** The names of all kernels, each with its entry points. */
export function kernels(): Map<string, string[]> {
  const names = Array.from(Deno.readDirSync(FOLDER)).filter(({ isFile }) => isFile).map(({ name }) => name.replace(/\.wgsl$/, ""));
  return new Map(names.toSorted().map((name) => [name, entriesOf(readKernel(name).source)]));
}

/**
 * A kernel with its libraries, its constants set and its loops unrolled.
 *
 * @throws {UsageError} if there is no such kernel or entry point, or a value cannot be read
 * @throws {Error} if the kernel declares no such constant, or one of another type
 */
export function kernelText(name: string, { entry, set }: KernelOptions): string {
  const all = kernels();
  const entries = all.get(name);
  if (!entries) throw new UsageError(`There is no kernel "${name}": there are ${[...all.keys()].join(", ")}`);
  if (entry !== undefined && !entries.includes(entry)) {
    throw new UsageError(`Kernel ${name} has no entry point "${entry}": it has ${entries.join(", ")}`);
  }
  return tidy(specialise(readKernel(name).source, Object.fromEntries(set.map(constantOf)), entry));
}

/** A specialisation as the adapter gets it, below a line that says what it is. */
export function specialisationText({ kernel, entry, constants }: Specialisation): string {
  const set = Object.entries(constants).map(([name, value]) => ` ${name}=${value}`).join("");
  return `// ${kernel.name}.${entry}${set}\n\n${tidy(specialise(kernel.source, constants, entry))}`;
}

/** Where comments were, lines are empty. */
function tidy(text: string): string {
  return `${text.replaceAll(/\n\s*\n/g, "\n\n").trim()}\n`;
}

function readKernel(name: string): Kernel {
  return kernelOf(name, Deno.readTextFileSync(new URL(`${name}.wgsl`, FOLDER)));
}

function constantOf(pair: string): [string, Constants[string]] {
  const [, name, value] = /^(\w+)=(true|false|f32|vec4<f32>|-?[\d.]+(?:e[-+]?\d+)?)$/.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError(
      `--set ${pair} is no constant with its value, such as N=625, SCALE=0.125, FUSED=true or "Number=vec4<f32>"`,
    );
  }
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, value.endsWith("f32") || value.endsWith(">") ? value as NumberType : Number(value)];
}
