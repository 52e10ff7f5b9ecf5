/** @file Charts of pixels, for readers that take no SVG: a square frame, ticks with numbers, curves and marks. */

import type { Picture } from "../io/png.ts";
import { ticksOf } from "./chart.ts";

/** Colours of the palette by name; blue and orange are those of other figures. */
const COLOURS = {
  paper: [255, 255, 255],
  ink: [31, 35, 40],
  soft: [209, 217, 224],
  blue: [11, 98, 168],
  orange: [200, 80, 10],
} as const;
const NAMES = Object.keys(COLOURS) as (keyof typeof COLOURS)[];

/** Name of a colour. */
export type RasterColour = keyof typeof COLOURS;

/** Where the frame is, in pixels from the top left. */
export const FRAME = { left: 52, top: 10, side: 320 } as const;
/** What is right of it and below. */
const REST = { right: 14, bottom: 24 } as const;

/** Rows of 3 x 5 pixels of what numbers are written with, each row as a binary number. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  "0": [7, 5, 5, 5, 7],
  "1": [2, 6, 2, 2, 7],
  "2": [7, 1, 7, 4, 7],
  "3": [7, 1, 7, 1, 7],
  "4": [5, 5, 7, 1, 1],
  "5": [7, 4, 7, 1, 7],
  "6": [7, 4, 7, 5, 7],
  "7": [7, 1, 1, 2, 2],
  "8": [7, 5, 7, 5, 7],
  "9": [7, 5, 7, 1, 7],
  ".": [0, 0, 0, 0, 2],
  "-": [0, 0, 7, 0, 0],
  "+": [0, 2, 7, 2, 0],
  "e": [0, 7, 7, 4, 3],
};
/** Pixels of a side of a glyph's pixel, and from one glyph to the next. */
const DOT = 2, ADVANCE = 4 * DOT;

/** A chart that is being drawn. */
export class Raster implements Picture {
  /** Pixels in a row. */
  readonly width = FRAME.left + FRAME.side + REST.right;
  /** Rows. */
  readonly height = FRAME.top + FRAME.side + REST.bottom;
  /** Numbers of colours. */
  readonly pixels = new Uint8Array(this.width * this.height);
  /** Colours. */
  readonly palette = Object.values(COLOURS);
  readonly #domain: readonly [number, number];

  /** Starts with both axes, over the same values, and the line on which they are equal. */
  constructor(domain: readonly [number, number]) {
    this.#domain = domain;
    for (const value of ticksOf({ domain })) {
      const text = String(value), x = this.#x(value), y = this.#y(value);
      this.#box(x, FRAME.top, 1, FRAME.side, "soft");
      this.#box(FRAME.left, y, FRAME.side, 1, "soft");
      this.#text(x - text.length * ADVANCE / 2, FRAME.top + FRAME.side + 8, text);
      this.#text(FRAME.left - 6 - text.length * ADVANCE, y - 5, text);
    }
    this.line([[domain[0], domain[0]], [domain[1], domain[1]]], "soft");
    for (const at of [0, FRAME.side]) {
      this.#box(FRAME.left + at, FRAME.top, 1, FRAME.side + 1, "ink");
      this.#box(FRAME.left, FRAME.top + at, FRAME.side + 1, 1, "ink");
    }
  }

  /** A curve through points, two pixels wide. */
  line(points: readonly (readonly [x: number, y: number])[], colour: RasterColour): void {
    for (let i = 1; i < points.length; i++) {
      const [[fromX, fromY], [toX, toY]] = [points[i - 1]!, points[i]!].map(([x, y]) => [this.#x(x), this.#y(y)] as const) as [
        readonly [number, number],
        readonly [number, number],
      ];
      const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY));
      for (let k = 0; k <= steps; k++) {
        this.#box(Math.round(fromX + k / steps * (toX - fromX)), Math.round(fromY + k / steps * (toY - fromY)), 2, 2, colour);
      }
    }
  }

  /** A small square; none outside of the frame. */
  mark(x: number, y: number, colour: RasterColour): void {
    const [low, high] = this.#domain;
    if (x >= low && x <= high && y >= low && y <= high) this.#box(this.#x(x) - 1, this.#y(y) - 1, 3, 3, colour);
  }

  #x(value: number): number {
    return FRAME.left + Math.round(FRAME.side * this.#share(value));
  }

  #y(value: number): number {
    return FRAME.top + Math.round(FRAME.side * (1 - this.#share(value)));
  }

  #share(value: number): number {
    const [low, high] = this.#domain;
    return Math.max(0, Math.min(1, (value - low) / (high - low)));
  }

  #text(left: number, top: number, text: string): void {
    for (const [i, character] of Array.from(text).entries()) {
      for (const [row, bits] of (GLYPHS[character] ?? []).entries()) {
        for (let column = 0; column < 3; column++) {
          if (bits >> 2 - column & 1) this.#box(left + i * ADVANCE + column * DOT, top + row * DOT, DOT, DOT, "ink");
        }
      }
    }
  }

  #box(left: number, top: number, width: number, height: number, colour: RasterColour): void {
    const number = NAMES.indexOf(colour), first = Math.max(0, Math.floor(left));
    for (let y = Math.max(0, top); y < Math.min(this.height, top + height); y++) {
      this.pixels.fill(number, y * this.width + first, y * this.width + Math.min(this.width, Math.floor(left) + width));
    }
  }
}
