/** @file The check sum of zip archives, CRC-32 as in ISO 3309: bytes in their order, four at a time. */

/** Row n: what a byte adds that is followed by n others. */
const TABLES = ((): readonly Uint32Array[] => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? 0xedb88320 ^ rest >>> 1 : rest >>> 1;
    return rest;
  });
  const rows = [first];
  while (rows.length < 4) rows.push(rows.at(-1)!.map((sum) => sum >>> 8 ^ first[sum & 255]!));
  return rows;
})();

/**
 * The check sum of some bytes.
 *
 * @param before that of the bytes before them
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  const [last, third, second, first] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const fours = bytes.length - bytes.length % 4;
  let sum = ~before;
  for (let i = 0; i < fours; i += 4) {
    sum ^= bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24;
    sum = first[sum & 255]! ^ second[sum >>> 8 & 255]! ^ third[sum >>> 16 & 255]! ^ last[sum >>> 24]!;
  }
  for (let i = fours; i < bytes.length; i++) sum = sum >>> 8 ^ last[(sum ^ bytes[i]!) & 255]!;
  return (sum ^ 0xffffffff) >>> 0;
}
