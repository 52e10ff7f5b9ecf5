import { assertAlmostEquals, assertEquals } from "@std/assert";
import { encodeEvent, encodeFileStart, maskedChecksum } from "../../../lib/io/tensorboard.ts";
import { messages, texts, wholes } from "../../support/protobuf.ts";

/** The messages of a file of TensorBoard, each checksum checked. */
function messagesOf(file: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [], view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true)), data = file.subarray(at + 12, at + 12 + length);
    assertEquals(view.getUint32(at + 8, true), maskedChecksum(file.subarray(at, at + 8)));
    assertEquals(view.getUint32(at + 12 + length, true), maskedChecksum(data));
    found.push(data);
    at += length + 16;
  }
  return found;
}

Deno.test("maskedChecksum() is the masked CRC-32C of TensorFlow", () => {
  // CRC-32C of "123456789" is e3069283
  const crc = 0xe3069283;
  assertEquals(maskedChecksum(new TextEncoder().encode("123456789")), ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0);
});

Deno.test("files of TensorBoard begin with their version, and hold numbers by name and step", () => {
  const start = encodeFileStart(1.5), scalars = encodeEvent(2.5, 300, { val_loss: 0.25, lr: 1e-3 });
  const [first, second] = messagesOf(new Uint8Array([...start, ...scalars])) as [Uint8Array, Uint8Array];
  assertEquals(texts(first, 3), ["brain.Event:2"]);
  const values = messages(messages(second, 5)[0]!, 1);
  assertEquals(values.flatMap((value) => texts(value, 1)), ["val_loss", "lr"]);
  const numbers = values.map((value) => new DataView(value.buffer, value.byteOffset + value.length - 4, 4).getFloat32(0, true));
  assertAlmostEquals(numbers[0]!, 0.25);
  assertAlmostEquals(numbers[1]!, 1e-3, 1e-9);
});

Deno.test("a picture is in a file of TensorBoard with its name, sizes and what it shows", () => {
  const png = Uint8Array.of(1, 2, 3);
  const picture = { name: "validation mass", description: "True mass to the right.", width: 300, height: 200, png };
  const [event] = messagesOf(encodeEvent(2.5, 7, { lr: 1 }, [picture])) as [Uint8Array];
  const [, value] = messages(messages(event, 5)[0]!, 1) as [Uint8Array, Uint8Array];
  assertEquals(texts(value, 1), ["validation mass"]);
  const [image] = messages(value, 4) as [Uint8Array], [metadata] = messages(value, 9) as [Uint8Array];
  assertEquals([wholes(image, 1), wholes(image, 2), wholes(image, 3)], [[200], [300], [3]]);
  assertEquals(messages(image, 4), [png]);
  assertEquals([texts(metadata, 2), texts(metadata, 3)], [["validation mass"], ["True mass to the right."]]);
});
