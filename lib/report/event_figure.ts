/** @file Pictures of single events: a panel for each channel, with the directions eta and phi as axes. */

import type { ImageSize } from "../data/packed.ts";
import { CHANNEL_NAMES } from "../data/statistics.ts";
import { NIGHT, sequential } from "./colours.ts";
import { element, type Figure, label, short } from "./svg.ts";

/** Width of a pixel in eta and phi, as in the published images: a fifth of an HCAL tower of 0.087. */
const PIXEL_WIDTH = 0.0174;
/** Side of a panel, and the space around it for axes. */
export const PANEL = { side: 190, left: 52, top: 26, right: 8, bottom: 38 } as const;
const COLUMNS = 4;
const HEADER = 34;
const FOOTER = 54;
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

/** A picture of an event's channels. */
export function eventFigure(name: string, title: string, image: Float32Array, { channels, size }: ImageSize): Figure {
  const panels = channelPanels(image, { channels, size });
  const { width, height, body } = panelGrid(title, panels);
  return {
    name,
    title,
    width,
    height: height + FOOTER,
    body: body + colourBar(PANEL.left, height + 8, "value, as a share of the channel's largest", sequential, [
      [0, "0.4 %"],
      [1 / 2, "6 %"],
      [1, "100 %"],
    ]),
  };
}

/** A panel for each channel, by the logarithm of its values. */
export function channelPanels(image: Float32Array, { channels, size }: ImageSize): Panel[] {
  return Array.from({ length: channels }, (_, channel) => {
    const values = Float64Array.from({ length: size * size }, (_, p) => Math.abs(image[p * channels + channel]!));
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    // 256 steps, as the published files have
    const shares = values.map((value) => value === 0 ? NaN : Math.max(0, 1 + Math.log(value / most) / Math.log(256)));
    return {
      heading: channels === CHANNEL_NAMES.length ? CHANNEL_NAMES[channel]! : `channel ${channel}`,
      cells: size,
      pixels: 1,
      shares,
      colour: sequential,
    };
  });
}

/** Panels in rows of four under a title. */
export function panelGrid(title: string, panels: readonly Panel[]): { width: number; height: number; body: string } {
  const columns = Math.min(COLUMNS, panels.length), rows = Math.ceil(panels.length / columns);
  const cellWidth = PANEL.left + PANEL.side + PANEL.right, cellHeight = PANEL.top + PANEL.side + PANEL.bottom;
  const body = panels.map((panel, i) => {
    return drawPanel(
      (i % columns) * cellWidth + PANEL.left,
      HEADER + Math.floor(i / columns) * cellHeight + PANEL.top,
      panel,
    );
  });
  return {
    width: columns * cellWidth,
    height: HEADER + rows * cellHeight,
    body: label(PANEL.left, 22, title, { class: "title", "font-size": 14 }) + body.join(""),
  };
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

function drawPanel(x: number, y: number, { heading, cells, pixels, shares, colour }: Panel): string {
  const cell = PANEL.side / cells;
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
  return element("rect", { x, y, width: PANEL.side, height: PANEL.side, fill: NIGHT }) + drawn.join("") +
    directions(x, y, cells * pixels) + label(x, y - 8, heading, { class: "title" });
}

function levelOf(share: number): number {
  return Number.isNaN(share) ? -1 : Math.min(LEVELS - 1, Math.floor(share * LEVELS));
}

/** Frame and axes in units of eta and phi. */
function directions(x: number, y: number, pixels: number): string {
  const { side } = PANEL;
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
