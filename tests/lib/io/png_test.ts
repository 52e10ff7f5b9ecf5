import { assertEquals } from "@std/assert";
import { encodePng, type Picture } from "../../../lib/io/png.ts";
import { decodePng } from "../../support/png.ts";

Deno.test("encodePng() writes each pixel and colour, with the checksums of the format", async () => {
  for (const [width, height] of [[1, 1], [7, 3], [301, 200]] as const) {
    const pixels = Uint8Array.from({ length: width * height }, (_, i) => i * i % 3);
    const picture: Picture = { width, height, pixels, palette: [[255, 255, 255], [0, 98, 168], [200, 80, 10]] };
    assertEquals(decodePng(await encodePng(picture)), picture);
  }
});
