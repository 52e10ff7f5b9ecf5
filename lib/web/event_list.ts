/** @file The table of events: sorted and filtered as numbers, with elements for the rows in sight alone. */

/// <reference lib="dom" />

import { shortValue } from "../data/targets.ts";
import type { Loaded, Rows } from "./protocol.ts";

/** What a column of a target holds. */
type OfTarget = "predicted" | "true" | "error";

/** Numbers of each event by name of the column; those of targets have their places behind their names. */
type Column = "event" | "class" | "score" | "label" | `${OfTarget} ${number}`;

const TITLES = { event: "event", class: "class", score: "score", label: "truth" } as const;
const ROW_HEIGHT = 30;
const COLUMN_WIDTH = 72;
const ALL = [-Infinity, Infinity] as const;
/** Rows beyond those in sight, so that scrolling shows no gaps. */
const BEYOND = 8;

/** Which events are shown. */
export interface Filter {
  /** Predicted class; undefined for all. */
  readonly class: number | undefined;
  /** Those alone whose class is wrong. */
  readonly wrong: boolean;
  /** Least and most of the score of class 1. */
  readonly score: readonly [number, number];
  /** Least and most of the first target, such as the mass in GeV. */
  readonly target: readonly [number, number];
  /** The same of the size of its error. */
  readonly error: readonly [number, number];
}

/** The table. */
export class EventList {
  readonly #place: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #head: HTMLElement;
  readonly #space: HTMLElement;
  readonly #choose: (event: number) => void;
  #columns: Partial<Record<Column, Float64Array>> = {};
  /** What is predicted beside the class. */
  #targets: Loaded["targets"] = [];
  #count = 0;
  #shown = new Uint32Array(0);
  #filter: Filter = { class: undefined, wrong: false, score: [0, 1], target: ALL, error: ALL };
  #sort: { column: Column; up: boolean } = { column: "event", up: true };
  #chosen = -1;
  #due = false;

  /**
   * @param place what the table fills
   * @param choose is told of the event that was chosen
   */
  constructor(place: HTMLElement, choose: (event: number) => void) {
    this.#choose = choose;
    this.#place = place;
    place.setAttribute("role", "grid");
    this.#head = place.appendChild(document.createElement("div"));
    this.#head.className = "row head";
    this.#head.setAttribute("role", "row");
    this.#scroller = place.appendChild(document.createElement("div"));
    this.#scroller.className = "scroller";
    this.#scroller.tabIndex = 0;
    this.#scroller.setAttribute("aria-label", "events");
    this.#space = this.#scroller.appendChild(document.createElement("div"));
    this.#space.className = "space";
    this.#scroller.addEventListener("scroll", () => this.#draw());
    this.#scroller.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.move(step);
    });
    this.#space.addEventListener("click", ({ target }) => {
      const row = (target as Element).closest<HTMLElement>("[data-event]");
      if (row) this.choose(Number(row.dataset["event"]));
    });
    new ResizeObserver(() => this.#draw()).observe(this.#scroller);
  }

  /** Number of events that are shown, and of all. */
  get counts(): readonly [shown: number, all: number] {
    return [this.#shown.length, this.#count];
  }

  /** Starts anew with the events of another file. */
  load({ count, labels, targets }: Loaded): void {
    const empty = () => new Float64Array(count).fill(NaN);
    this.#columns = { event: Float64Array.from({ length: count }, (_, i) => i), class: empty(), score: empty() };
    this.#targets = targets;
    targets.forEach((_, t) => this.#columns[`predicted ${t}`] = empty());
    if (labels) this.#columns.label = labels;
    for (const [t, { truth }] of targets.entries()) {
      if (truth) Object.assign(this.#columns, { [`true ${t}`]: truth, [`error ${t}`]: empty() });
    }
    // columns of several targets are more than fit: the table is then moved to the side
    const width = targets.length > 1 ? `${Object.keys(this.#columns).length * COLUMN_WIDTH}px` : "0";
    this.#place.style.setProperty("--least-width", width);
    this.#count = count;
    this.#chosen = -1;
    if (!this.#columns[this.#sort.column]) this.#sort = { column: "event", up: true };
    this.#arrange();
  }

  /** Adds predictions. */
  add({ first, classes, scores, targets }: Rows): void {
    this.#columns.class!.set(classes, first);
    this.#columns.score!.set(scores, first);
    for (const [t, values] of targets.entries()) {
      const { [`true ${t}` as const]: truth, [`error ${t}` as const]: error } = this.#columns;
      this.#columns[`predicted ${t}`]!.set(values, first);
      if (truth && error) error.set(values.map((value, i) => value - truth[first + i]!), first);
    }
    this.#arrange();
  }

  /** Shows other events. */
  filter(filter: Filter): void {
    this.#filter = filter;
    this.#arrange();
  }

  /** Chooses an event. */
  choose(event: number): void {
    this.#chosen = event;
    this.#scrollTo(this.#shown.indexOf(event));
    this.#draw();
    this.#choose(event);
  }

  /** Chooses the event so many rows further down. */
  move(step: number): void {
    if (this.#shown.length === 0) return;
    const at = Math.max(0, Math.min(this.#shown.length - 1, this.#shown.indexOf(this.#chosen) + step));
    if (this.#shown[at] !== this.#chosen) this.choose(this.#shown[at]!);
  }

  #arrange(): void {
    const { class: wanted, wrong, score, target, error } = this.#filter, columns = this.#columns;
    const within = (value: number, [least, most]: readonly [number, number]) =>
      Number.isNaN(value) || (value >= least && value <= most);
    const shown = Uint32Array.from({ length: this.#count }, (_, i) => i).filter((i) =>
      (wanted === undefined || columns.class![i] === wanted) && within(columns.score![i]!, score) &&
      within(columns["predicted 0"]![i]!, target) && within(Math.abs(columns["error 0"]?.[i] ?? NaN), error) &&
      (!wrong || (columns.label !== undefined && columns.class![i] !== columns.label[i]))
    );
    const by = columns[this.#sort.column]!, sign = this.#sort.up ? 1 : -1;
    // errors by their size, and what is not known yet comes last
    const key = this.#sort.column.startsWith("error ") ? by.map(Math.abs) : by;
    if (this.#sort.column !== "event" || !this.#sort.up) {
      shown.sort((a, b) => {
        const [x, y] = [key[a]!, key[b]!];
        return Number.isNaN(x) || Number.isNaN(y) ? Number(Number.isNaN(x)) - Number(Number.isNaN(y)) : sign * (x - y);
      });
    }
    this.#shown = shown;
    this.#drawHead();
    this.#draw();
  }

  get #visible(): Column[] {
    // as they were put in: predictions, then the truth and errors, as far as they are known
    return Object.keys(this.#columns) as Column[];
  }

  #titleOf(column: Column): string {
    if (column in TITLES) return TITLES[column as keyof typeof TITLES];
    const [of, t] = column.split(" ") as [OfTarget, string], { name } = this.#targets[Number(t)]!;
    return of === "predicted" ? name : of === "true" || this.#targets.length > 1 ? `${of} ${name}` : of;
  }

  #drawHead(): void {
    const { column: sorted, up } = this.#sort;
    this.#head.replaceChildren(...this.#visible.map((column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = this.#titleOf(column);
      button.textContent = button.title + (column === sorted ? (up ? " \u2191" : " \u2193") : "");
      button.setAttribute("role", "columnheader");
      button.setAttribute("aria-sort", column !== sorted ? "none" : up ? "ascending" : "descending");
      button.addEventListener("click", () => {
        this.#sort = { column, up: column === sorted ? !up : column === "event" };
        this.#scroller.scrollTop = 0;
        this.#arrange();
      });
      return button;
    }));
  }

  #scrollTo(row: number): void {
    const { scrollTop, clientHeight } = this.#scroller, top = row * ROW_HEIGHT;
    if (row < 0) return;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) this.#scroller.scrollTop = top + ROW_HEIGHT - clientHeight;
  }

  /** Draws the rows in sight, once before the next picture. */
  #draw(): void {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      const { scrollTop, clientHeight } = this.#scroller, columns = this.#visible;
      const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - BEYOND);
      const last = Math.min(this.#shown.length, Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + BEYOND);
      this.#space.style.height = `${this.#shown.length * ROW_HEIGHT}px`;
      this.#space.replaceChildren(...Array.from({ length: Math.max(0, last - first) }, (_, i) => this.#row(first + i, columns)));
    });
  }

  #row(place: number, columns: readonly Column[]): HTMLElement {
    const event = this.#shown[place]!, row = document.createElement("div");
    row.className = "row";
    row.dataset["event"] = String(event);
    row.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    row.setAttribute("role", "row");
    row.setAttribute("aria-selected", String(event === this.#chosen));
    const isWrong = this.#columns.label && !Number.isNaN(this.#columns.class![event]!) &&
      this.#columns.label[event] !== this.#columns.class![event];
    row.classList.toggle("wrong", isWrong === true);
    for (const column of columns) {
      const cell = row.appendChild(document.createElement("span")), value = this.#columns[column]![event]!;
      cell.setAttribute("role", "gridcell");
      cell.dataset["column"] = column;
      cell.textContent = Number.isNaN(value)
        ? ""
        : column === "score"
        ? value.toFixed(3)
        : Number.isInteger(value)
        ? String(value)
        : shortValue(value, this.#targets[Number(column.split(" ")[1])]!);
    }
    return row;
  }
}
