/**
 * @file Lists of chunks as arrays: one of fixed size, and one that grows.
 *
 * The growing one has a few elements in its first block, then data blocks that double in size with every second level
 * ("super block"); from level 4 on, data blocks are found by way of their super block. Large data blocks are cut into
 * pages with check sums of their own; bits say which pages were ever written. See "HDF5 File Format Specification"
 * version 3.0, sections VII.C and VII.D, and H5EA.c.
 */

import { type EntryFormat, readEntry, type StoredChunk } from "./chunk_entry.ts";
import { type Cursor, Hdf5Fault, type Hdf5Source, verified } from "./hdf5_source.ts";

type AddNumbered = (number: number, chunk: StoredChunk) => void;

/** Elements of an array in the file. */
interface Elements {
  readonly source: Hdf5Source;
  readonly format: EntryFormat;
  readonly bytes: number;
  /** Elements of a page. */
  readonly perPage: number;
  readonly add: AddNumbered;
}

const CHECKSUM_BYTES = 4;

/** Reads an array of fixed size. */
export function readFixedArray(source: Hdf5Source, root: number, format: EntryFormat, add: AddNumbered): void {
  const { address: addressWidth, length: lengthWidth } = source.widths;
  const head = source.checked(root, 12 + lengthWidth + addressWidth, "FAHD").skip(2);
  const bytes = checkedSize(head.uint(1), source, format),
    perPage = 2 ** head.uint(1),
    count = head.length(),
    block = head.address();
  if (block === undefined) return;
  const elements: Elements = { source, format, bytes, perPage, add };
  const headBytes = 6 + addressWidth;
  if (count <= perPage) return readBlock(elements, block, "FADB", headBytes, 0, count);
  const pages = Math.ceil(count / perPage), bitBytes = Math.ceil(pages / 8);
  const bits = source.checked(block, headBytes + bitBytes + CHECKSUM_BYTES, "FADB").skip(headBytes - 4).bytes(bitBytes);
  readPages(elements, block + headBytes + bitBytes + CHECKSUM_BYTES, { first: 0, count, isThere: (page) => bitOf(bits, page) });
}

/** Reads an array that grows. */
export function readExtensibleArray(source: Hdf5Source, root: number, format: EntryFormat, add: AddNumbered): void {
  const { address: addressWidth, length: lengthWidth } = source.widths;
  const head = source.checked(root, 16 + 6 * lengthWidth + addressWidth, "EAHD").skip(2);
  const bytes = checkedSize(head.uint(1), source, format), countBits = head.uint(1), inIndex = head.uint(1);
  const leastPerBlock = head.uint(1), leastPointers = head.uint(1), perPage = 2 ** head.uint(1);
  const most = head.skip(4 * lengthWidth).length(), index = head.skip(lengthWidth).address();
  if (index === undefined) return;
  if (countBits > 64 || !isPower(leastPerBlock) || !isPower(leastPointers)) throw new Hdf5Fault("its list of chunks is none");
  const elements: Elements = { source, format, bytes, perPage, add };
  const offsetBytes = Math.ceil(countBits / 8);
  const levels = 1 + countBits - Math.log2(leastPerBlock), direct = 2 * Math.log2(leastPointers);
  const blocks = 2 * (leastPointers - 1), supers = Math.max(0, levels - direct);
  const node = source.checked(
    index,
    6 + addressWidth + inIndex * bytes + (blocks + supers) * addressWidth + CHECKSUM_BYTES,
    "EAIB",
  ).skip(2 + addressWidth);
  readElements(elements, node, 0, inIndex);
  let first = inIndex;
  for (let level = 0; level < levels && first < most; level++) {
    const count = 2 ** Math.floor(level / 2), perBlock = 2 ** Math.floor((level + 1) / 2) * leastPerBlock;
    const headBytes = 6 + addressWidth + offsetBytes;
    const from = first;
    const readAll = (addresses: Cursor, isThere: (block: number, page: number) => boolean) => {
      for (let i = 0; i < count; i++) {
        const address = addresses.address(), start = from + i * perBlock;
        if (address === undefined) continue;
        if (perBlock <= perPage || level < direct) readBlock(elements, address, "EADB", headBytes, start, perBlock);
        else {
          source.checked(address, headBytes + CHECKSUM_BYTES, "EADB");
          readPages(elements, address + headBytes + CHECKSUM_BYTES, {
            first: start,
            count: perBlock,
            isThere: (page) => isThere(i, page),
          });
        }
      }
    };
    if (level < direct) readAll(node, () => true);
    else {
      const address = node.address();
      const pages = perBlock > perPage ? perBlock / perPage : 0, bitBytes = count * Math.ceil(pages / 8);
      if (address !== undefined) {
        const block = source.checked(address, headBytes + bitBytes + count * addressWidth + CHECKSUM_BYTES, "EASB");
        const bits = block.skip(headBytes - 4).bytes(bitBytes);
        readAll(block, (i, page) => bitOf(bits, i * pages + page));
      }
    }
    first += count * perBlock;
  }
}

function readBlock(elements: Elements, address: number, signature: string, headBytes: number, first: number, count: number): void {
  const cursor = elements.source.checked(address, headBytes + count * elements.bytes + CHECKSUM_BYTES, signature);
  readElements(elements, cursor.skip(headBytes - 4), first, count);
}

/** Pages one after the other, each with its check sum; those that were never written are left out of account. */
function readPages(
  elements: Elements,
  address: number,
  { first, count, isThere }: { first: number; count: number; isThere: (page: number) => boolean },
): void {
  const { source, bytes, perPage } = elements;
  for (let page = 0; page * perPage < count; page++) {
    if (!isThere(page)) continue;
    const held = Math.min(perPage, count - page * perPage);
    const at = address + page * (perPage * bytes + CHECKSUM_BYTES);
    verified(source.read(at, held * bytes + CHECKSUM_BYTES), "list of chunks");
    readElements(elements, source.cursor(at, held * bytes), first + page * perPage, held);
  }
}

function readElements({ format, add }: Elements, cursor: Cursor, first: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const chunk = readEntry(cursor, format);
    if (chunk) add(first + i, chunk);
  }
}

function checkedSize(bytes: number, { widths }: Hdf5Source, { filtered, sizeWidth }: EntryFormat): number {
  if (bytes !== widths.address + (filtered ? sizeWidth + 4 : 0)) throw new Hdf5Fault("its list of chunks is none");
  return bytes;
}

const isPower = (value: number) => value > 0 && Number.isInteger(Math.log2(value));

function bitOf(bits: Uint8Array, at: number): boolean {
  return (bits[at >> 3]! & 0x80 >> (at & 7)) !== 0;
}
