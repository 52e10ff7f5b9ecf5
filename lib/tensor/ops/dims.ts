/** @file Numbers for a kernel's uniform block, which is written as 32-bit words. */

/** The bits of a number as float32. */
export function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}
