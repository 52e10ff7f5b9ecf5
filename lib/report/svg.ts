/** @file SVG as text: elements, and documents that stand alone in light and dark. */

/** Attributes of an element; those that are undefined are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element with its attributes and children, which are markup already. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const list = Object.entries(attributes).filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? short(value) : escapeText(value!)}"`).join("");
  return children.length === 0 ? `<${name}${list}/>` : `<${name}${list}>${children.join("")}</${name}>`;
}

/** Control characters that XML has no form for. */
// deno-lint-ignore no-control-regex
const NO_MARKUP = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Text at a position. */
export function label(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeText(text));
}

/** Text as it may stand in markup; characters that markup cannot hold are replaced by the sign for that. */
export function escapeText(text: string): string {
  return text.toWellFormed().replaceAll(NO_MARKUP, "\ufffd").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(
    ">",
    "&gt;",
  ).replaceAll('"', "&quot;");
}

/** A number with no more digits than a picture needs. */
export function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Colours of figures. Blue and orange differ for every kind of colour vision; dark mode has lighter ones. */
const LIGHT = `--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#ffffff;--panel:#f6f8fa;
--c0:#0b62a8;--c1:#c8500a;--c2:#12805c;--c3:#8f3f97;--c4:#8a6d00;--c5:#b3234f`;
const DARK = `--ink:#e6edf3;--soft:#9aa4af;--line:#3d444d;--paper:#0d1117;--panel:#161b22;
--c0:#6cb6ff;--c1:#ff9b52;--c2:#4cd2a0;--c3:#d99be0;--c4:#e3c04f;--c5:#ff8fab`;

/** Style rules for figures, in a document of their own or in a page. Printing is always light. */
export const FIGURE_STYLE = `:root{${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
svg.figure{font:12px system-ui,sans-serif;background:var(--paper)}
svg.figure text{fill:var(--ink)}
svg.figure .soft{fill:var(--soft)}
svg.figure .title{font-weight:600}
svg.figure .axis{stroke:var(--soft);fill:none}
svg.figure .grid{stroke:var(--line);fill:none}
svg.figure .panel{fill:var(--panel)}
svg.figure .guide{stroke:var(--soft);stroke-dasharray:4 4;fill:none}`;

/** A figure: a title that screen readers tell, and markup inside. */
export interface Figure {
  /** Name of its file, without ending. */
  readonly name: string;
  /** What it shows, in a few words. */
  readonly title: string;
  /** Size in pixels. */
  readonly width: number;
  /** Size in pixels. */
  readonly height: number;
  /** Markup. */
  readonly body: string;
}

/** A figure as an element for a page that has {@linkcode FIGURE_STYLE}. */
export function figureElement({ title, width, height, body }: Figure, own = ""): string {
  const attributes = { xmlns: "http://www.w3.org/2000/svg", class: "figure", viewBox: `0 0 ${width} ${height}`, role: "img" };
  return element("svg", { ...attributes, width, height }, element("title", {}, escapeText(title)), own, body);
}

/** Figures for a page, each to be found by its name. */
export function namedFigures(figures: readonly Figure[]): string[] {
  return figures.map((figure) => element("figure", { id: figure.name }, figureElement(figure)));
}

/** A figure as a file of its own. */
export function figureDocument(figure: Figure): string {
  return figureElement(figure, element("style", {}, FIGURE_STYLE)) + "\n";
}

/** Characters of a name that are part of a file's name. */
const LONGEST = 80;

/** A name as part of a file's name. */
export function partOfName(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "-").slice(0, LONGEST);
}
