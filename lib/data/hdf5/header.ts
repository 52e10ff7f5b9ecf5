/**
 * @file The messages of an object header: what a dataset is, and where its numbers lie.
 *
 * libhdf5 as h5wasm offers it says neither how the bits of a number are laid out nor how data are stored, but it does
 * say where a dataset's header is. See "HDF5 File Format Specification" version 3.0, sections IV.A.1 and IV.A.2.
 */

import { Cursor, Hdf5Fault, type Hdf5Source } from "./hdf5_source.ts";

/** Types of messages that are looked at. */
export const MESSAGE = {
  dataspace: 1,
  datatype: 3,
  oldFill: 4,
  fill: 5,
  externalFiles: 7,
  layout: 8,
  filters: 11,
  attribute: 12,
  continuation: 16,
} as const;

/** One message. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A block of messages. */
interface Block {
  readonly address: number;
  readonly length: number;
}

const SHARED = 2;
const MOST_BLOCKS = 1000;

/** All messages of the header at an address. */
export function readMessages(source: Hdf5Source, address: number): Message[] {
  const start = source.cursor(address, 4);
  return start.text(4) === "OHDR" ? readSecond(source, address) : readFirst(source, address);
}

/**
 * The message of a type, followed to where it is if it is shared.
 *
 * @throws {Hdf5Fault} if it is in the file's table of shared messages
 */
export function findMessage(source: Hdf5Source, messages: readonly Message[], type: number): Cursor | undefined {
  const found = messages.find((message) => message.type === type);
  if (!found) return undefined;
  const cursor = new Cursor(found.body, source.widths);
  if (!(found.flags & SHARED)) return cursor;
  const version = cursor.uint(1), kind = cursor.uint(1);
  // of version 3, kind 1 is a table of messages; else it is another object's header, such as a named type's
  if (version > 3 || (version === 3 && kind !== 2)) {
    throw new Hdf5Fault("a part of its header is in the file's table of shared messages, which is not read here");
  }
  // libhdf5 has a name's place before the address here, which the specification leaves out
  if (version === 1) cursor.skip(6 + source.widths.length);
  const named = readMessages(source, cursor.place()).find((message) => message.type === type && !(message.flags & SHARED));
  if (!named) throw new Hdf5Fault("its header names another one that has no such part");
  return new Cursor(named.body, source.widths);
}

/** Version 1: a head of 16 bytes, then messages in multiples of 8 bytes. */
function readFirst(source: Hdf5Source, address: number): Message[] {
  const head = source.cursor(address, 16);
  const version = head.uint(1);
  if (version !== 1) throw new Hdf5Fault(`its header has version ${version}, which is not known here`);
  const length = head.skip(7).uint(4);
  return collect(source, { address: address + 16, length }, (block) => {
    const cursor = source.cursor(block.address, block.length);
    const messages: Message[] = [];
    while (cursor.left >= 8) {
      const [type, size, flags] = [cursor.uint(2), cursor.uint(2), cursor.uint(1)];
      messages.push({ type, flags, body: cursor.skip(3).bytes(size) });
    }
    return messages;
  });
}

/** Version 2: blocks with signatures and check sums, messages packed without gaps. */
function readSecond(source: Hdf5Source, address: number): Message[] {
  const head = source.cursor(address, 6).skip(5);
  const flags = head.uint(1);
  const before = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0), width = 1 << (flags & 3);
  const length = source.cursor(address + before, width).uint(width);
  const first = { address, length: before + width + length + 4 };
  return collect(source, first, (block) => {
    const isFirst = block === first;
    const cursor = source.checked(block.address, block.length, isFirst ? "OHDR" : "OCHK");
    if (isFirst) cursor.skip(before + width - 4);
    const messages: Message[] = [];
    const headBytes = flags & 4 ? 6 : 4;
    while (cursor.left >= headBytes) {
      const [type, size, bits] = [cursor.uint(1), cursor.uint(2), cursor.uint(1)];
      messages.push({ type, flags: bits, body: cursor.skip(headBytes - 4).bytes(size) });
    }
    return messages;
  });
}

/** The messages of a block and of those that it goes on in. */
function collect(source: Hdf5Source, first: Block, read: (block: Block) => Message[]): Message[] {
  const blocks = [first];
  const messages: Message[] = [];
  for (const block of blocks) {
    for (const message of read(block)) {
      messages.push(message);
      if (message.type !== MESSAGE.continuation) continue;
      const cursor = new Cursor(message.body, source.widths);
      if (blocks.push({ address: cursor.place(), length: cursor.length() }) > MOST_BLOCKS) {
        throw new Hdf5Fault("its header has no end");
      }
    }
  }
  return messages;
}
