/** @file Reads messages of Protocol Buffers back, without a schema. */

/** Fields of a message in their order: a whole number, or bytes (of a float, of text, of another message). */
export function fieldsOf(message: Uint8Array): [field: number, value: number | Uint8Array][] {
  const fields: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let value = 0n, shift = 0n;
    for (;; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < message.length) {
    const tag = varint(), kind = tag & 7;
    if (kind === 0) {
      fields.push([tag >> 3, varint()]);
      continue;
    }
    const length = kind === 5 ? 4 : kind === 1 ? 8 : varint();
    fields.push([tag >> 3, message.subarray(at, at += length)]);
  }
  return fields;
}

/** Whole numbers of a field. */
export function wholes(message: Uint8Array, field: number): number[] {
  return fieldsOf(message).flatMap(([found, value]) => found === field && typeof value === "number" ? [value] : []);
}

/** Messages of a field. */
export function messages(message: Uint8Array, field: number): Uint8Array[] {
  return fieldsOf(message).flatMap(([found, value]) => found === field && typeof value !== "number" ? [value] : []);
}

/** Texts of a field. */
export function texts(message: Uint8Array, field: number): string[] {
  return messages(message, field).map((bytes) => new TextDecoder().decode(bytes));
}
