/** @file Training curves are drawn with the numbers that there are. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { curveFigures } from "../../../lib/report/sections/training_curves.ts";
import { figureDocument } from "../../../lib/report/svg.ts";

Deno.test("the section of training curves leaves out the points of epochs whose loss was not finite, and curves without any", () => {
  const history = { train_loss: [NaN, 2, 1], val_loss: [3, Infinity, 1.5], train_acc: [NaN], val_acc: [] };
  const figures = curveFigures([{ name: "a", history }]);
  assertEquals(figures.map(({ name }) => name), ["curves-loss"]);
  const drawn = figureDocument(figures[0]!);
  assertStringIncludes(drawn, "a, epoch 3: 1.500");
  assert(!drawn.includes("epoch 2:") && !/NaN|Infinity/.test(drawn), drawn);
});
