/** @file Pictures of single events: a panel for each channel. */

import type { ImageSize } from "../data/packed.ts";
import { channelName } from "../data/statistics.ts";
import { sequential } from "./colours.ts";
import { BAR_HEIGHT, colourBar, type Panel, panelRows, ROW_LEFT, ROW_WIDTH } from "./panels.ts";
import { type Figure, label } from "./svg.ts";

const COLUMNS = 4;
const HEADER = 34;

/** A picture of an event's channels. */
export function eventFigure(name: string, title: string, image: Float32Array, size: ImageSize): Figure {
  const { height, body } = eventRows(title, image, size);
  return { name, title, width: ROW_WIDTH, height, body };
}

/** Title, channels and their colour bar, for the top of a figure. */
export function eventRows(title: string, image: Float32Array, size: ImageSize): { height: number; body: string } {
  const panels = channelPanels(image, size);
  const rows = panelRows(HEADER, panels, COLUMNS);
  const bar = colourBar(ROW_LEFT, HEADER + rows.height, "value, as a share of the channel's largest", sequential, [
    [0, "0.4 %"],
    [1 / 2, "6 %"],
    [1, "100 %"],
  ]);
  const heading = label(ROW_LEFT, 22, title, { class: "title", "font-size": 14 });
  return { height: HEADER + rows.height + BAR_HEIGHT, body: heading + rows.body + bar };
}

/** A panel for each channel, by the logarithm of its values. */
function channelPanels(image: Float32Array, { channels, size }: ImageSize): Panel[] {
  return Array.from({ length: channels }, (_, channel) => {
    const values = Float64Array.from({ length: size * size }, (_, p) => Math.abs(image[p * channels + channel]!));
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    // 256 steps, as the published files have
    const shares = values.map((value) => value === 0 ? NaN : Math.max(0, 1 + Math.log(value / most) / Math.log(256)));
    return {
      heading: channelName(channel, channels),
      cells: size,
      pixels: 1,
      shares,
      colour: sequential,
    };
  });
}
