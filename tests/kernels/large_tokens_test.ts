/** @file Active tokens at sizes beyond one axis of the grid. */

import { assertEquals } from "@std/assert";
import { activeTokens, fromPlaces, otherTokens, toPlaces } from "../../lib/tensor/ops/active_tokens.ts";
import { addRepeated } from "../../lib/tensor/ops/add.ts";
import { hideTokens, tokenError } from "../../lib/tensor/ops/hidden_tokens.ts";
import { ImageViews, NO_AUGMENTATION } from "../../lib/tensor/ops/images.ts";
import type { Tensor, Tokens } from "../../lib/tensor/tensor.ts";
import { assertEvery, type LargeRun, largeTest } from "../support/large.ts";

/** So many images that the loop over them ends on any adapter. */
const IMAGES = 30_001, SIZE = 12, PLACES = SIZE * SIZE, ALL = IMAGES * PLACES;

/** Tokens of which every third is left out. */
function someTokens(run: LargeRun): Tokens {
  const marks = run.placed("marks", [IMAGES, PLACES], Uint32Array.from({ length: ALL }, (_, i) => Number(isActive(i))), "u32");
  return activeTokens(run.tape, marks, PLACES);
}

const isActive = (cell: number) => cell % 3 !== 1;

largeTest("active tokens of images are found, numbered and hidden", {
  many: ["images.mark", "hide_tokens.choose"],
  // an invocation an image, and one in all
  few: ["active_tokens.count", "active_tokens.start", "active_tokens.number", "active_tokens.lines"],
}, async (run) => {
  const pixels = Array.from({ length: PLACES }, (_, i) => i).filter(isActive);
  const words = Uint32Array.from({ length: IMAGES * pixels.length }, (_, i) => pixels[i % pixels.length]! * 256 + 1);
  const ranges = Uint32Array.from({ length: 2 * IMAGES }, (_, i) => (i + 1 >> 1) * pixels.length);
  const packed = {
    ranges: run.placed("ranges", [IMAGES, 2], ranges, "u32"),
    words: run.placed("words", [words.length], words, "u32"),
    wordsPerEntry: 1,
    mostPerImage: PLACES,
  };
  const views = new ImageViews(run.tape, packed, { channels: 1, size: SIZE, patch: 1 }, { normScale: 255 }, 1, NO_AUGMENTATION);
  const tokens = views.tokens(1), { visible, hidden } = hideTokens(run.tape, tokens, 0.35);
  const { rows: r, lines: l } = tokens;
  const found = await run.compute({ rows: r, lines: l, table: tokens.tables[0]!, seen: visible.rows, unseen: hidden.rows });
  const [rows, lines, table, seen, unseen] = [found.rows, found.lines, found.table, found.seen, found.unseen]
    .map((x) => new Uint32Array(x.buffer));
  const none = 2 ** 32 - 1, kept = Math.floor(0.35 * pixels.length + 0.5);
  const header = [IMAGES * pixels.length, ALL, IMAGES, 0, 0];
  assertEquals([...table!.subarray(0, header.length)], header);
  const cells = table!.subarray(header.length + IMAGES + 1);
  for (let image = 0, row = 0; image < IMAGES; image++) {
    let visible = 0;
    for (let n = 0; n < PLACES; n++) {
      const cell = image * PLACES + n, active = isActive(n);
      const right = rows![cell] === (active ? row : none) &&
        Number(seen![cell] !== none) + Number(unseen![cell] !== none) === Number(active);
      if (!right || active && cells[row] !== cell) throw new Error(`place ${n} of image ${image}`);
      if (seen![cell] !== none) visible++;
      if (active) row++;
    }
    if (visible !== kept) assertEquals([image, visible], [image, kept]);
    for (let r = 0; r < SIZE; r++) {
      const line = image * SIZE + r, columns = Array.from({ length: SIZE }, (_, c) => c).filter((c) => isActive(r * SIZE + c));
      const right = lines![2 * line] === rows![line * SIZE + columns[0]!] &&
        lines![2 * line + 1] === columns.reduce((bits, c) => bits + 2 ** c, 0);
      if (!right) throw new Error(`row ${r} of image ${image}`);
    }
  }
});

largeTest("active tokens are moved, filled in and added up", {
  many: ["move_tokens.take", "move_tokens.missing"],
  // an invocation a place
  few: ["move_tokens.add_up"],
}, async (run) => {
  const all = activeTokens(run.tape, run.placed("all", [IMAGES, PLACES], new Uint32Array(ALL).fill(1), "u32"), PLACES);
  const [x, values] = run.input("x", [IMAGES, PLACES, 1], 1);
  const [filler, [fill], model] = run.parameter("filler", [1, 1, 1], 2),
    [place, added, places] = run.parameter("place", [1, PLACES, 1], 3);
  const filled = otherTokens(run.tape, fromPlaces(run.tape, x, someTokens(run)), all, filler);
  const output = toPlaces(run.tape, addRepeated(run.tape, filled, place));
  const dy = run.backward(output, 4);
  const { y, dx, dfiller, dplace } = await run.compute({
    y: output,
    dx: run.tape.gradient(x)!,
    dfiller: model.get("filler").gradient,
    dplace: places.get("place").gradient,
  });
  assertEvery(y, (i) => (isActive(i) ? values[i]! : fill!) + added[i % PLACES]!, "y");
  assertEvery(dx, (i) => isActive(i) ? dy[i]! : 0, "gradient of x");
  assertEvery(dfiller, () => dy.reduce((sum, g, i) => isActive(i) ? sum : sum + g, 0), "gradient of filler", 1e-3);
  const sums = new Float64Array(PLACES);
  dy.forEach((g, i) => sums[i % PLACES]! += g);
  assertEvery(dplace, (i) => sums[i]!, "gradient of place", 1e-3);
});

const TARGETS = ["sums", "pixels", "forward", "backward"].map((entry) => `token_targets.${entry}`);

largeTest("tokenError() of sums and of pixels is its formula, forward and backward", { many: TARGETS }, async (run) => {
  const tokens = activeTokens(run.tape, run.placed("all", [IMAGES, PLACES], new Uint32Array(ALL).fill(1), "u32"), PLACES);
  const [x, values] = run.input("x", [IMAGES, PLACES, 1], 1, Math.abs), [guess, p] = run.input("guess", [IMAGES, PLACES, 1], 2);
  const prediction = fromPlaces(run.tape, guess, tokens), patches = fromPlaces(run.tape, x, tokens);
  const lossOf = (deviation?: Tensor) => tokenError(run.tape, prediction, patches, { channels: 1, patch: 1, unit: 255, deviation });
  const sums = lossOf(run.placed("deviation", [1], Float32Array.of(0.7))), pixels = lossOf();
  run.tape.backward(sums, pixels);
  const found = await run.compute({ sums, pixels, dguess: run.tape.gradient(guess)! });
  const errors = (scale: number) => values.map((v, i) => p[i]! - Math.log1p(255 * v) / scale);
  const [ofSums, ofPixels] = [errors(0.7), errors(Math.log(256))];
  assertEvery(found.sums.map((value) => value * ALL), (i) => ofSums[i]! ** 2, "loss of sums", 1e-4);
  assertEvery(found.pixels.map((value) => value * ALL), (i) => ofPixels[i]! ** 2, "loss of pixels", 1e-4);
  assertEvery(found.dguess.map((value) => value * ALL), (i) => 2 * (ofSums[i]! + ofPixels[i]!), "gradient of the prediction", 1e-4);
});
