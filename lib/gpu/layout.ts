/** @file Structs of WGSL: where the fields of one lie in memory. */

/** Types of numbers that a host passes. */
export type Scalar = "u32" | "i32" | "f32";

/** Where a field lies, and what it holds: so many numbers of a type, or a struct. */
export interface Field {
  /** First byte. */
  readonly offset: number;
  /** Type of its numbers, or of the struct. */
  readonly type: Scalar | Layout;
  /** How many numbers. */
  readonly length: number;
}

/** Fields of a struct as they lie in memory. */
export interface Layout {
  /** By name. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Size in bytes. */
  readonly bytes: number;
  /** The struct begins at a multiple of it. */
  readonly alignment: number;
}

/**
 * The layout of a struct by WGSL's rules.
 *
 * @param source text that declares it
 * @param name of the struct
 * @returns undefined if the text declares no such struct
 * @throws {Error} if a field is of a type that a host cannot pass, or has an attribute other than align
 */
export function layoutOf(source: string, name: string): Layout | undefined {
  const body = new RegExp(`^struct ${name} \\{([^}]*)\\}`, "m").exec(source.replaceAll(/\/\/.*$/gm, ""))?.[1];
  if (body === undefined) return undefined;
  const fields = new Map<string, Field>();
  let end = 0, alignment = 4;
  for (const member of body.split(/,(?![^<(]*[>)])/).map((text) => text.trim()).filter(Boolean)) {
    const [, least = "4", field, type] = /^(?:@align\((\d+)\) )?(\w+): (.+)$/.exec(member) ?? [];
    if (!field) throw new Error(`Cannot lay out struct ${name}: its member "${member}" is no field with a type`);
    const { bytes, align, ...what } = typeOf(source, type!, `${name}.${field}`);
    const aligned = Math.max(align, Number(least));
    const offset = roundUp(end, aligned);
    fields.set(field, { ...what, offset });
    [end, alignment] = [offset + bytes, Math.max(alignment, aligned)];
  }
  return { fields, bytes: roundUp(end, alignment), alignment };
}

function typeOf(source: string, type: string, field: string): Omit<Field, "offset"> & { bytes: number; align: number } {
  const [, vector = "1", ofVector, alone] = /^(?:vec([234])<([uif]32)>|([uif]32))$/.exec(type) ?? [];
  const scalar = ofVector ?? alone;
  if (scalar === undefined) {
    const struct = layoutOf(source, type);
    if (!struct) throw new Error(`Cannot lay out ${field}: no host passes a ${type}`);
    return { type: struct, length: 1, bytes: struct.bytes, align: struct.alignment };
  }
  const length = Number(vector);
  return { type: scalar as Scalar, length, bytes: 4 * length, align: length === 3 ? 16 : 4 * length };
}

function roundUp(x: number, step: number): number {
  return Math.ceil(x / step) * step;
}
