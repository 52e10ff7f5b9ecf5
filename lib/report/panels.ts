/** @file Panels of square cells over the image, with the directions eta and phi as axes, in rows with colour bars. */

import { NIGHT } from "./colours.ts";
import { element, label, short } from "./svg.ts";

/** Width of a pixel in eta and phi, as in the published images: a fifth of an HCAL tower of 0.087. */
const PIXEL_WIDTH = 0.0174;
/** Space around a panel for axes and heading. */
const SPACE = { left: 52, top: 26, right: 8, bottom: 38 } as const;
/** Width of a row of panels. */
export const ROW_WIDTH = 1000;
/** Where the first panel of a row begins. */
export const ROW_LEFT = SPACE.left;
/** Height that a colour bar takes. */
export const BAR_HEIGHT = 46;
/** Colours that are told apart: cells of one colour are one path. */
const LEVELS = 32;

/** What a panel shows: square cells over the whole image. */
export interface Panel {
  readonly heading: string;
  /** Cells along eta and phi. */
  readonly cells: number;
  /** Pixels along a cell. */
  readonly pixels: number;
  /** (cells, cells) numbers from 0 to 1 along the colour scale; NaN is left empty. */
  readonly shares: Float64Array;
  /** The colour scale. */
  readonly colour: (share: number) => string;
}

/** Panels in rows of so many, and the height of them all. */
export function panelRows(top: number, panels: readonly Panel[], columns: number): { height: number; body: string } {
  const cellWidth = ROW_WIDTH / columns, side = cellWidth - SPACE.left - SPACE.right;
  const cellHeight = SPACE.top + side + SPACE.bottom;
  const body = panels.map((panel, i) => {
    const x = (i % columns) * cellWidth + SPACE.left, y = top + Math.floor(i / columns) * cellHeight + SPACE.top;
    return drawPanel(x, y, side, panel);
  });
  return { height: Math.ceil(panels.length / columns) * cellHeight, body: body.join("") };
}

/** A colour bar with labelled positions. */
export function colourBar(
  x: number,
  y: number,
  meaning: string,
  colour: (share: number) => string,
  marks: readonly (readonly [share: number, text: string])[],
): string {
  const width = 240;
  const steps = Array.from({ length: LEVELS }, (_, i) => {
    const step = width / LEVELS;
    return element("rect", { x: x + i * step, y, width: step + 0.3, height: 10, fill: colour((i + 0.5) / LEVELS) });
  });
  const texts = marks.map(([share, text]) => {
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    return label(x + share * width, y + 24, text, { "text-anchor": anchor, class: "soft" });
  });
  return steps.join("") + texts.join("") + label(x + width + 12, y + 9, meaning, { class: "soft" });
}

function drawPanel(x: number, y: number, side: number, { heading, cells, pixels, shares, colour }: Panel): string {
  const cell = side / cells;
  const paths = Array.from({ length: LEVELS }, () => "");
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells;) {
      const level = levelOf(shares[row * cells + column]!);
      let stop = column + 1;
      while (stop < cells && levelOf(shares[row * cells + stop]!) === level) stop++;
      if (level >= 0) {
        const run = (stop - column) * cell;
        // eta rises upwards
        paths[level] += `M${short(x + column * cell)} ${short(y + (cells - 1 - row) * cell)}h${short(run)}v${short(cell)}h${
          short(-run)
        }z`;
      }
      column = stop;
    }
  }
  const drawn = paths.map((d, level) => d === "" ? "" : element("path", { d, fill: colour((level + 0.5) / LEVELS) }));
  return element("rect", { x, y, width: side, height: side, fill: NIGHT }) + drawn.join("") +
    directions(x, y, side, cells * pixels) + label(x, y - 8, heading, { class: "title" });
}

function levelOf(share: number): number {
  return Number.isNaN(share) ? -1 : Math.min(LEVELS - 1, Math.floor(share * LEVELS));
}

/** Frame and axes in units of eta and phi. */
function directions(x: number, y: number, side: number, pixels: number): string {
  const half = pixels * PIXEL_WIDTH / 2;
  const step = [2, 1, 0.5, 0.2, 0.1, 0.05, 0.02].find((candidate) => half / candidate >= 2) ?? 0.01;
  const marks: string[] = [];
  for (let k = -Math.floor(half / step); k <= Math.floor(half / step); k++) {
    const at = side * (0.5 + k * step / (2 * half));
    const text = short(k * step).replace("-", "\u2212");
    marks.push(
      element("path", { d: `M${short(x + at)} ${y + side}v4M${x} ${short(y + side - at)}h-4`, class: "axis" }),
      label(x + at, y + side + 16, text, { "text-anchor": "middle", class: "soft", "font-size": 10 }),
      label(x - 7, y + side - at + 3.5, text, { "text-anchor": "end", class: "soft", "font-size": 10 }),
    );
  }
  return element("rect", { x, y, width: side, height: side, class: "axis" }) + marks.join("") +
    label(x + side / 2, y + side + 30, "\u0394\u03c6 (rad)", { "text-anchor": "middle", class: "soft", "font-size": 11 }) +
    label(0, 0, "\u0394\u03b7", {
      "text-anchor": "middle",
      class: "soft",
      "font-size": 11,
      transform: `translate(${x - 38} ${y + side / 2}) rotate(-90)`,
    });
}
