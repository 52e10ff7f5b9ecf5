/** @file What a file is by its first bytes: for messages about files that are something else than they should be. */

import { shorten } from "../format.ts";
import { isSafetensors } from "./safetensors.ts";

/** How a kind of file begins, where that is not at its first byte, and what there is to say of it. */
type Signature = readonly [begins: string | RegExp, what: string, at?: number];

const PICKLE = "a Python pickle";

/** Signatures that end in one of several versions. */
function versions(begins: string, versions: string, what: string): Signature[] {
  return Array.from(versions, (version) => [begins + version, what]);
}

/** Formats that turn up under the names of data and weights. */
const SIGNATURES: readonly Signature[] = [
  ["\x89HDF\r\n\x1a\n", "an HDF5 file"],
  ["PK\x03\x04", "a zip archive"],
  ["PK\x05\x06", "a zip archive without any file in it"],
  ["\x93NUMPY", "a NumPy array"],
  ["root\0", "a ROOT file"],
  ...versions("CDF", "\x01\x02\x05", "a netCDF file of the classic format"),
  ["\x0e\x03\x13\x01", "an HDF4 file"],
  ["PAR1", "a Parquet file"],
  ["ARROW1", "an Arrow (Feather) file"],
  ["MATLAB 5.0", "a MATLAB file. Save it with -v7.3, which is HDF5"],
  ["SIMPLE  =", "a FITS file"],
  ["SQLite format 3\0", "an SQLite database"],
  ["GGUF", "a GGUF file of a language model"],
  ["TFL3", "a TensorFlow Lite model", 4],
  ...versions("\x08", "\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", "an ONNX model"),
  // what stands for a file that is elsewhere
  ["version https://git-lfs", "a Git LFS pointer, not the file it stands for. Fetch that with 'git lfs pull'"],
  [/^\/annex\/objects\//, "a git-annex pointer, not the file it stands for. Fetch that with 'git annex get'"],
  [/^(md5: \S+\n)?outs:\s*\n- /, "a DVC pointer, not the file it stands for. Fetch that with 'dvc pull'"],
  [
    /^\s*(<!--[^]*?-->\s*)*<(!doctype html|html|head|body)\b/i,
    "a web page, not a file of data. Open the address in a browser to see what it says",
  ],
  [/^\s*<\?xml/i, "XML, often an error that a server has sent. Open it in an editor to see what it says"],
  // what is wrapped around files
  ["\x1f\x8b", "compressed with gzip. Unpack it with gunzip"],
  ["\x1f\x9d", "compressed with compress. Unpack it with uncompress"],
  [/^BZh[1-9]/, "compressed with bzip2. Unpack it with bunzip2"],
  ["\xfd7zXZ\0", "compressed with xz. Unpack it with unxz"],
  ["\x28\xb5\x2f\xfd", "compressed with zstd. Unpack it with unzstd"],
  ["\x04\x22\x4d\x18", "compressed with lz4. Unpack it with unlz4"],
  ["7z\xbc\xaf\x27\x1c", "a 7z archive. Unpack it with 7z x"],
  ["Rar!\x1a\x07", "a rar archive. Unpack it with unrar x"],
  ["ustar", "a tar archive. Unpack it with tar -xf", 257],
  // pictures, documents and programs
  ["\x89PNG\r\n", "a PNG picture"],
  ["\xff\xd8\xff", "a JPEG picture"],
  ["GIF8", "a GIF picture"],
  [/^(II\*\0|MM\0\*)/, "a TIFF picture"],
  ["%PDF", "a PDF document"],
  ["\x7fELF", "a program for Linux"],
  // pickles of protocol 2 and later say so; older ones begin with an empty dict or list, or with a class
  ...versions("\x80", "\x02\x03\x04\x05", PICKLE),
  [/^(\([dl]p\d+\n|[}\]]q[^]|c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n(p\d+\n|q[^]|[().]))/, PICKLE],
  [/^(\xff\xfe|\xfe\xff)/, "text in UTF-16"],
];
const LOOKED_AT = 512;

/**
 * Names what a file is.
 *
 * @param start its first bytes, up to 512 of them
 * @returns words that follow "this is", or undefined for bytes that are not known
 */
export function fileKind(start: Uint8Array): string | undefined {
  const bytes = start.subarray(0, LOOKED_AT);
  if (bytes.length === 0) return "an empty file";
  if (isSafetensors(bytes)) return "a safetensors file";
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const known = SIGNATURES.find(([begins, , at = 0]) =>
    typeof begins === "string" ? text.startsWith(begins, at) : begins.test(text)
  );
  if (known) return known[1];
  if (bytes.every((byte) => byte === 0)) {
    return "nothing but zeros where it begins: it is still being written or copied, or that was cut off. Copy or download it again";
  }
  return textKind(bytes);
}

/** A text without a signature, by how it begins. */
function textKind(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    // the last letter may be cut
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
  if (/[^\P{Cc}\t\n\f\r]/u.test(text)) return undefined;
  return `text, which begins with ${shorten(text.trim().split(/[\r\n]/)[0]!)}`;
}
