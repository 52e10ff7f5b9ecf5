/**
 * @file Files of TensorBoard: one record after the other, each a message with numbers and pictures of one step.
 *
 * A record is the length of its message (8 bytes, the lowest first), a checksum of the length, the message, and a checksum of it. The
 * checksum is CRC-32C, turned by 15 bits and raised by a constant. Format: tensorflow/core/lib/io/record_writer.h; messages:
 * tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
 */

import { ProtobufMessage } from "./protobuf.ts";

/** Colours of a picture: red, green and blue. */
const RGB = 3;

/** The record with which a file begins. */
export function encodeFileStart(seconds: number): Uint8Array<ArrayBuffer> {
  return record(new ProtobufMessage().double(1, seconds).bytes(3, "brain.Event:2"));
}

/** A picture of a step. */
export interface EventPicture {
  /** What it is called in TensorBoard. */
  readonly name: string;
  /** What it shows, in words. */
  readonly description: string;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** A file in the format PNG. */
  readonly png: Uint8Array;
}

/**
 * A record of numbers and pictures.
 *
 * @param seconds since 1970
 * @param step of the run
 * @param scalars by the names that they have in TensorBoard
 */
export function encodeEvent(
  seconds: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
  pictures: readonly EventPicture[] = [],
): Uint8Array<ArrayBuffer> {
  const summary = new ProtobufMessage();
  for (const [tag, value] of Object.entries(scalars)) {
    summary.message(1, new ProtobufMessage().bytes(1, tag).float(2, value));
  }
  for (const { name, description, width, height, png } of pictures) {
    const image = new ProtobufMessage().whole(1, height).whole(2, width).whole(3, RGB).bytes(4, png);
    const metadata = new ProtobufMessage().bytes(2, name).bytes(3, description);
    summary.message(1, new ProtobufMessage().bytes(1, name).message(4, image).message(9, metadata));
  }
  return record(new ProtobufMessage().double(1, seconds).whole(2, step).message(5, summary));
}

function record(message: ProtobufMessage): Uint8Array<ArrayBuffer> {
  const data = message.encode(), bytes = new Uint8Array(data.length + 16), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return bytes;
}

/** The checksum of a part of a record. */
export function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
}

/** CRC-32C (Castagnoli), as of RFC 3720. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
