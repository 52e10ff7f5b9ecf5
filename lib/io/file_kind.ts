/** @file What a file is by its first bytes: for messages about files that are something else than they should be. */

/** How formats begin that turn up under the names of data and weights; some begin later than the file does. */
const SIGNATURES: readonly (readonly [begins: string | RegExp, what: string, at?: number])[] = [
  ["\x89HDF\r\n\x1a\n", "an HDF5 file"],
  ["version https://git-lfs", "a Git LFS pointer, not the file it stands for. Fetch that with 'git lfs pull'"],
  [/^\s*<(!doctype html|html|head|\?xml)/i, "a web page, not a file of data. Open the address in a browser to see what it says"],
  ["\x1f\x8b", "compressed with gzip. Unpack it with gunzip"],
  ["BZh", "compressed with bzip2. Unpack it with bunzip2"],
  ["\xfd7zXZ\0", "compressed with xz. Unpack it with unxz"],
  ["\x28\xb5\x2f\xfd", "compressed with zstd. Unpack it with unzstd"],
  ["PK\x03\x04", "a zip archive"],
  ["\x93NUMPY", "a NumPy array"],
  ["\x80\x02", "a Python pickle"],
  ["\x80\x03", "a Python pickle"],
  ["\x80\x04", "a Python pickle"],
  ["\x80\x05", "a Python pickle"],
  ["root", "a ROOT file"],
  ["CDF", "a netCDF file of the classic format"],
  ["\x0e\x03\x13\x01", "an HDF4 file"],
  ['{"', "a safetensors file", 8],
  ["ustar", "a tar archive. Unpack it with tar -xf", 257],
];
const LOOKED_AT = 512;

/**
 * Names what a file is.
 *
 * @param start its first bytes, up to 512 of them
 * @returns words that follow "this is", or undefined for bytes that are not known
 */
export function fileKind(start: Uint8Array): string | undefined {
  if (start.length === 0) return "an empty file";
  const text = Array.from(start.subarray(0, LOOKED_AT), (byte) => String.fromCharCode(byte)).join("");
  return SIGNATURES.find(([begins, , at = 0]) => typeof begins === "string" ? text.startsWith(begins, at) : begins.test(text))?.[1];
}
