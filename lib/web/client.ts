/** @file The page's end of the channel to its Worker: a question is a promise, with news on the way and a way to stop it. */

/// <reference lib="dom" />

import type { Calls, FromEngine, News, ToEngine } from "./protocol.ts";

/** A question was stopped. */
export class Stopped extends Error {}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  readonly hear: (news: News) => void;
}

/** The Worker, as functions. */
export class Engine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Starts the Worker; what is posted before it listens would be lost. */
  static start(script: string): Promise<Engine> {
    const worker = new Worker(script, { type: "module" }), engine = new Engine(worker);
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => {
        const error = new Error(`A part of this page failed: ${message || "it could not be loaded"}. Load the page again`);
        reject(error);
        for (const waiting of engine.#waiting.values()) waiting.reject(error);
      };
      worker.onmessage = ({ data }: MessageEvent<FromEngine>) => "ready" in data ? resolve(engine) : engine.#settle(data);
    });
  }

  /**
   * Asks.
   *
   * @param hear is told what goes on meanwhile
   * @param signal stops the work
   * @throws {Stopped} if it was stopped
   */
  ask<Name extends keyof Calls>(
    name: Name,
    given: Calls[Name]["given"],
    hear: (news: News) => void = () => {},
    signal?: AbortSignal,
  ): Promise<Calls[Name]["answer"]> {
    const id = this.#next++, post = (message: ToEngine) => this.#worker.postMessage(message);
    signal?.addEventListener("abort", () => post({ stop: id }), { once: true });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject, hear });
      post({ id, name, given });
    });
  }

  #settle(message: Exclude<FromEngine, { ready: true }>): void {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    if ("news" in message) return waiting.hear(message.news);
    this.#waiting.delete(message.id);
    if ("answer" in message) waiting.resolve(message.answer);
    else waiting.reject(message.stopped ? new Stopped(message.error) : new Error(message.error));
  }
}
