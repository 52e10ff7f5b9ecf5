/** @file A picture of what drives a prediction: the event, contributions to class and targets, attention received. */

import type { ImageSize } from "../data/packed.ts";
import { inWords } from "../data/targets.ts";
import type { Explanation } from "../eval/attribution.ts";
import type { WeightsInfo } from "../weights/weights_info.ts";
import { sequential, signed } from "./colours.ts";
import { eventRows } from "./event_figure.ts";
import { BAR_HEIGHT, colourBar, type Panel, panelRows, ROW_LEFT, ROW_WIDTH } from "./panels.ts";
import { type Figure, label } from "./svg.ts";

const GAP = 20;
const LINE_HEIGHT = 18;
/** How to read the picture, in lines that fit its width. */
const CAPTION = [
  "Contributions are value times gradient, summed over channels: to first order what the output would lose without that pixel. Orange raises the",
  "output, blue lowers it; colours go with the square root, so that faint pixels show. A model that has learnt physics is driven by the jet: strong",
  "contributions far from it mean that the model looks at something else. The sum need not be the output itself, which has a constant part too.",
  "Attention received is the sum over all patches of the attention they pay to this one, averaged over heads; with an even share a patch receives 1.",
];

/**
 * Draws an explanation.
 *
 * @param name of the file
 * @param title one line about the event and the prediction
 * @param size of the image
 * @param weights of the model, which know its patches and what it predicts
 */
export function explanationFigure(
  name: string,
  title: string,
  { values, toClass, toTargets, explained, attention }: Explanation,
  size: ImageSize,
  { model: { patch_size: patch }, targets }: Pick<WeightsInfo, "model" | "targets">,
): Figure {
  const event = eventRows(title, values, size);
  let y = event.height + GAP;
  const contributions = [
    { heading: `contributions to the score of class ${explained}`, unit: "", values: overChannels(toClass, size) },
    ...targets.map((target, t) => ({
      heading: `contributions to ${inWords(target)}`,
      unit: target.unit && ` ${target.unit}`,
      values: overChannels(toTargets[t]!, size),
    })),
  ];
  const maps: string[] = [];
  for (let first = 0; first < contributions.length; first += 2) {
    const pair = contributions.slice(first, first + 2);
    const row = panelRows(y, pair.map((map) => contributionPanel(map.heading, map.values, size)), 2);
    y += row.height;
    maps.push(row.body, ...pair.map((map, i) => contributionBar(ROW_LEFT + i * ROW_WIDTH / 2, y, map.values, map.unit)));
    y += BAR_HEIGHT + GAP;
  }

  const received = attentionMaps(attention);
  const range = rangeOf(received.map((map) => map.values));
  const rows = panelRows(y, received.map((map) => attentionPanel(map.heading, map.values, patch, range)), 4);
  y += rows.height;
  const [least, most] = range.map((value) => value.toPrecision(3)) as [string, string];
  const scale = colourBar(ROW_LEFT, y, "attention received by a patch; 1 is an even share", sequential, [[0, least], [1, most]]);
  y += BAR_HEIGHT + GAP;
  const caption = CAPTION.map((text, i) => label(ROW_LEFT, y + i * LINE_HEIGHT, text, { class: "soft" }));
  y += CAPTION.length * LINE_HEIGHT;
  const body = [event.body, ...maps, rows.body, scale, ...caption].join("");
  return { name, title, width: ROW_WIDTH, height: y, body };
}

/** (size, size, channels) to (size, size). */
function overChannels(values: Float64Array, { size, channels }: ImageSize): Float64Array {
  return Float64Array.from({ length: size * size }, (_, pixel) => {
    return values.subarray(pixel * channels, (pixel + 1) * channels).reduce((a, b) => a + b, 0);
  });
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function contributionPanel(heading: string, values: Float64Array, { size }: ImageSize): Panel {
  const most = largest(values);
  const shares = values.map((value) => value === 0 ? NaN : (1 + Math.sign(value) * Math.sqrt(Math.abs(value) / most)) / 2);
  return { heading, cells: size, pixels: 1, shares, colour: (share) => signed(2 * share - 1) };
}

function contributionBar(x: number, y: number, values: Float64Array, unit: string): string {
  const most = largest(values);
  const text = (value: number) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toPrecision(2)}`;
  const sum = values.reduce((a, b) => a + b, 0);
  return colourBar(x, y, `sum over the image ${text(sum)}${unit}`, (share) => signed(2 * share - 1), [
    [0, text(-most)],
    [1 / 2, "0"],
    [1, text(most)],
  ]);
}

interface AttentionMap {
  readonly heading: string;
  readonly values: Float64Array;
}

/** The first and the last block, and the mean of all. */
function attentionMaps(blocks: readonly Float32Array[]): AttentionMap[] {
  const mean = Float64Array.from(blocks[0]!, (_, token) => {
    return blocks.reduce((sum, received) => sum + received[token]!, 0) / blocks.length;
  });
  if (blocks.length === 1) return [{ heading: "attention received", values: mean }];
  return [
    { heading: "attention, first block", values: Float64Array.from(blocks[0]!) },
    { heading: "attention, last block", values: Float64Array.from(blocks.at(-1)!) },
    { heading: `attention, mean of ${blocks.length} blocks`, values: mean },
  ];
}

function rangeOf(maps: readonly Float64Array[]): [least: number, most: number] {
  const over = (pick: (a: number, b: number) => number) =>
    maps.map((map) => map.reduce((a, b) => pick(a, b))).reduce((a, b) => pick(a, b));
  return [over(Math.min), over(Math.max)];
}

function attentionPanel(heading: string, values: Float64Array, patch: number, [least, most]: readonly [number, number]): Panel {
  const shares = values.map((value) => most > least ? (value - least) / (most - least) : 0);
  return { heading, cells: Math.sqrt(values.length), pixels: patch, shares, colour: sequential };
}
