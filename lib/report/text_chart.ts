/** @file Curves in characters, for terminals: each cell of Braille holds two by four points. */

import { rangeOf } from "./chart.ts";

/** A curve of a text chart: a value for each epoch, NaN where there is none. */
export interface TextCurve {
  readonly name: string;
  readonly values: readonly number[];
}

/** Bits of the points of a cell, by column and row. */
const POINTS = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]] as const;
const EMPTY = 0x2800;

/**
 * Draws curves, with their range at the left and their last values below.
 *
 * @param columns characters of the plot
 * @param rows lines of the plot
 */
export function textChart(title: string, curves: readonly TextCurve[], columns: number, rows: number): string {
  const all = curves.flatMap(({ values }) => values).filter(Number.isFinite);
  if (all.length === 0) return `${title}: no epoch yet`;
  const [low, high] = rangeOf(all), epochs = Math.max(...curves.map(({ values }) => values.length));
  const cells = Array.from({ length: rows }, () => new Uint8Array(columns));
  for (const { values } of curves) {
    for (const [x, y] of pointsOf(values, epochs, [low, high], 2 * columns, 4 * rows)) {
      cells[y >> 2]![x >> 1]! |= POINTS[x & 1]![y & 3]!;
    }
  }
  const labels = [high, low].map((value) => value.toPrecision(4)), width = Math.max(...labels.map(({ length }) => length));
  const lines = cells.map((row, i) => {
    const label = i === 0 ? labels[0]! : i === rows - 1 ? labels[1]! : "";
    return `${label.padStart(width)} \u2502${Array.from(row, (bits) => String.fromCharCode(EMPTY + bits)).join("")}`;
  });
  const last = curves.map(({ name, values }) => `${name} ${values.at(-1)?.toPrecision(4) ?? "-"}`).join("   ");
  const axis = ` epoch ${epochs}`;
  return [title, ...lines, `${" ".repeat(width)} \u2514${"\u2500".repeat(Math.max(0, columns - axis.length))}${axis}`, last].join(
    "\n",
  );
}

/** Points of a curve, the ones between two values included. */
function* pointsOf(
  values: readonly number[],
  epochs: number,
  [low, high]: readonly [number, number],
  width: number,
  height: number,
): Generator<[x: number, y: number]> {
  const x = (epoch: number) => Math.round((width - 1) * (epochs > 1 ? epoch / (epochs - 1) : 0));
  const y = (value: number) => Math.round((height - 1) * (1 - (value - low) / (high - low)));
  let before: number | undefined;
  for (const [epoch, value] of values.entries()) {
    if (!Number.isFinite(value)) continue;
    const from = before ?? epoch, steps = Math.max(1, x(epoch) - x(from));
    for (let k = 0; k <= steps; k++) {
      yield [x(from) + Math.round(k * (x(epoch) - x(from)) / steps), y(values[from]! + k / steps * (value - values[from]!))];
    }
    before = epoch;
  }
}
