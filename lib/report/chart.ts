/** @file Charts with two axes: scales, ticks, grid, legend, and marks that tell their numbers when pointed at. */

import { element, escapeText, type Figure, label, short } from "./svg.ts";

/** An axis as a figure asks for it. */
export interface AxisOptions {
  /** What it shows, with its unit. */
  readonly label: string;
  /** First and last value, as of {@linkcode rangeOf}: both finite, the last larger. */
  readonly domain: readonly [number, number];
  /** Where ticks are; about five round numbers if not given. */
  readonly ticks?: readonly number[];
}

/** An entry of the legend. */
export interface LegendEntry {
  readonly text: string;
  readonly colour: string;
  /** Stroke pattern of its lines. */
  readonly dash?: string | undefined;
}

/** What a chart looks like. */
export interface ChartOptions {
  readonly title: string;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly legend?: readonly LegendEntry[];
  /** Same length for a unit of both axes. */
  readonly square?: boolean;
}

const WIDTH = 460;
const PLOT_HEIGHT = 270;
const MARGIN = { left: 60, right: 16, top: 34, bottom: 48 } as const;
const LEGEND_LINE = 18;

/** Colours of models, in order; the pattern tells them apart without colour. */
const SERIES: readonly { readonly colour: string; readonly dash: string | undefined }[] = [
  { colour: "var(--c0)", dash: undefined },
  { colour: "var(--c1)", dash: "7 3" },
  { colour: "var(--c2)", dash: "2 3" },
  { colour: "var(--c3)", dash: "9 3 2 3" },
  { colour: "var(--c4)", dash: "4 2" },
  { colour: "var(--c5)", dash: "1 2" },
];

/** Colour and pattern of the n-th model. */
export function series(n: number): (typeof SERIES)[number] {
  return SERIES[n % SERIES.length]!;
}

/** A chart that is being drawn. */
export class Chart {
  readonly #options: ChartOptions;
  readonly #top: number;
  readonly #side: { readonly width: number; readonly height: number };
  readonly #marks: string[] = [];

  /** Starts with axes and no marks. */
  constructor(options: ChartOptions) {
    this.#options = options;
    this.#top = MARGIN.top + LEGEND_LINE * (options.legend?.length ?? 0);
    const width = WIDTH - MARGIN.left - MARGIN.right;
    this.#side = { width, height: options.square ? width : PLOT_HEIGHT };
  }

  /** Horizontal position of a value. */
  x(value: number): number {
    return MARGIN.left + this.#side.width * shareOf(value, this.#options.x.domain);
  }

  /** Vertical position of a value. */
  y(value: number): number {
    return this.#top + this.#side.height * (1 - shareOf(value, this.#options.y.domain));
  }

  /** Adds markup. */
  add(mark: string): this {
    this.#marks.push(mark);
    return this;
  }

  /** Adds a line through points. */
  line(
    points: readonly (readonly [number, number])[],
    { colour, dash }: Pick<LegendEntry, "colour" | "dash">,
    { width = 1.8, opacity }: { readonly width?: number; readonly opacity?: number } = {},
  ): this {
    const d = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${short(this.x(x))} ${short(this.y(y))}`).join("");
    return this.add(
      element("path", {
        d,
        fill: "none",
        stroke: colour,
        "stroke-width": width,
        "stroke-opacity": opacity,
        "stroke-dasharray": dash,
      }),
    );
  }

  /** Adds a thin line, such as that of a member of an ensemble beside that of their mean. */
  thin(points: readonly (readonly [number, number])[], colour: string): this {
    return this.line(points, { colour }, { width: 0.8, opacity: 0.45 });
  }

  /** Adds a dashed guide line between two points. */
  guide([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): this {
    const [left, top, right, bottom] = [this.x(x1), this.y(y1), this.x(x2), this.y(y2)].map(short);
    return this.add(element("path", { d: `M${left} ${top}L${right} ${bottom}`, class: "guide" }));
  }

  /** Adds a point that tells its numbers when pointed at. */
  point(x: number, y: number, colour: string, tells: string, radius = 3): this {
    const title = element("title", {}, escapeText(tells));
    return this.add(element("circle", { cx: this.x(x), cy: this.y(y), r: radius, fill: colour }, title));
  }

  /** Adds a vertical bar from one value to another, such as an interval. */
  interval(x: number, low: number, high: number, colour: string): this {
    return this.add(element("path", { d: `M${short(this.x(x))} ${short(this.y(low))}V${short(this.y(high))}`, stroke: colour }));
  }

  /** The finished figure. */
  figure(name: string): Figure {
    const { title } = this.#options;
    const height = this.#top + this.#side.height + MARGIN.bottom;
    const clip = `clip-${name}`;
    const area = { x: MARGIN.left, y: this.#top, ...this.#side };
    const body = [
      element("clipPath", { id: clip }, element("rect", area)),
      label(MARGIN.left, 20, title, { class: "title", "font-size": 14 }),
      this.#legend(),
      this.#axes(),
      element("g", { "clip-path": `url(#${clip})` }, this.#marks.join("")),
      element("rect", { ...area, class: "axis" }),
    ];
    return { name, title, width: WIDTH, height, body: body.join("") };
  }

  #legend(): string {
    return (this.#options.legend ?? []).map(({ text, colour, dash }, i) => {
      const y = MARGIN.top + LEGEND_LINE * i + 4;
      const swatch = { d: `M${MARGIN.left} ${y - 4}h26`, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash };
      return element("path", swatch) + label(MARGIN.left + 34, y, text);
    }).join("");
  }

  #axes(): string {
    const { x, y } = this.#options;
    const bottom = this.#top + this.#side.height, right = MARGIN.left + this.#side.width;
    const horizontal = ticksOf(x).map((value) => {
      const at = short(this.x(value));
      return element("path", { d: `M${at} ${this.#top}V${bottom}`, class: "grid" }) +
        label(this.x(value), bottom + 16, formatTick(value), { "text-anchor": "middle", class: "soft" });
    });
    const vertical = ticksOf(y).map((value) => {
      const at = short(this.y(value));
      return element("path", { d: `M${MARGIN.left} ${at}H${right}`, class: "grid" }) +
        label(MARGIN.left - 7, this.y(value) + 4, formatTick(value), { "text-anchor": "end", class: "soft" });
    });
    const middle = (this.#top + bottom) / 2;
    return horizontal.join("") + vertical.join("") +
      label((MARGIN.left + right) / 2, bottom + 36, x.label, { "text-anchor": "middle" }) +
      label(0, 0, y.label, { "text-anchor": "middle", transform: `translate(15 ${short(middle)}) rotate(-90)` });
  }
}

/** How far along a domain a value is: 0 to 1, and no more than a few lengths beyond it, where nothing is seen. */
function shareOf(value: number, [low, high]: readonly [number, number]): number {
  return Math.max(-9, Math.min(9, (value - low) / (high - low)));
}

/** About five round numbers in an axis's domain. */
export function ticksOf({ domain: [low, high], ticks }: Pick<AxisOptions, "domain" | "ticks">): readonly number[] {
  if (ticks) return ticks;
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  // a whole number of steps each, so that no sum of rounding errors is printed
  const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function formatTick(value: number): string {
  return String(value).replace("-", "\u2212");
}

/** Values beyond it are drawn at the edge: their differences would not be numbers. */
const LARGEST = 1e300;
/** A range that is smaller beside its values has no round numbers in it. */
const SMALLEST_SHARE = 1e-9;
/** Smallest range of values near 0. */
const SMALLEST = 1e-200;

/** The round range that holds all finite values; some range around them if they are equal, 0 to 1 if there is none. */
export function rangeOf(values: Iterable<number>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const inside = Math.max(-LARGEST, Math.min(LARGEST, value));
    low = Math.min(low, inside);
    high = Math.max(high, inside);
  }
  if (low > high) return [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= Math.max(SMALLEST, SMALLEST_SHARE * size)) {
    const margin = Math.max(0.5, size / 1000);
    return [low - margin, high + margin];
  }
  const step = 10 ** Math.floor(Math.log10(high - low)) / 2;
  return [step * Math.floor(low / step), step * Math.ceil(high / step)];
}
