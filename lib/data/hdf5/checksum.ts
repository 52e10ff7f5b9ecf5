/** @file The two check sums of HDF5: of its structures, and of data behind the fletcher32 filter. */

/** Check sum of a structure: Jenkins' lookup3 (hashlittle with 0 to start from), as in H5checksum.c. */
export function metadataChecksum(bytes: Uint8Array): number {
  const start = (0xdeadbeef + bytes.length) | 0;
  const rotate = (x: number, by: number) => x << by | x >>> (32 - by);
  const word = (at: number) => bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
  let a = start, b = start, c = start, at = 0;
  for (; bytes.length - at > 12; at += 12) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 4)) | 0;
    c = (c + word(at + 8)) | 0;
    a = (a - c ^ rotate(c, 4)) | 0, c = (c + b) | 0;
    b = (b - a ^ rotate(a, 6)) | 0, a = (a + c) | 0;
    c = (c - b ^ rotate(b, 8)) | 0, b = (b + a) | 0;
    a = (a - c ^ rotate(c, 16)) | 0, c = (c + b) | 0;
    b = (b - a ^ rotate(a, 19)) | 0, a = (a + c) | 0;
    c = (c - b ^ rotate(b, 4)) | 0, b = (b + a) | 0;
  }
  // bytes behind the end count as 0
  a = (a + word(at)) | 0;
  b = (b + word(at + 4)) | 0;
  c = (c + word(at + 8)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}

/** Fletcher's check sum over big-endian words of 16 bits, as in H5_checksum_fletcher32(). */
export function fletcher32(bytes: Uint8Array): number {
  let low = 0, high = 0;
  const add = (word: number) => {
    low += word;
    low = (low & 0xffff) + (low >>> 16);
    high += low;
    high = (high & 0xffff) + (high >>> 16);
  };
  for (let i = 0; i + 1 < bytes.length; i += 2) add(bytes[i]! << 8 | bytes[i + 1]!);
  if (bytes.length % 2 === 1) add(bytes.at(-1)! << 8);
  return (high << 16 | low) >>> 0;
}
