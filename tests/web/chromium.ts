/** @file Headless Chromium with its software Vulkan driver, driven by its debugging protocol. */

import { delay } from "../support/waiting.ts";

/** Debian's program; `enable-unsafe-webgpu` since a software adapter is not offered without; shared memory is small in containers. */
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--remote-debugging-port=0",
];

/** How large the window is, and what it prefers. */
export interface Look {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

/** A page in a browser of its own. */
export class Browser implements AsyncDisposable {
  /** What went wrong in the page, as its console has it. */
  readonly errors: string[] = [];
  /** Where downloads go. */
  readonly downloads: string;
  readonly #process: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>();
  #next = 0;
  #loaded = () => {};

  private constructor(process: Deno.ChildProcess, socket: WebSocket, downloads: string) {
    this.#process = process;
    this.#socket = socket;
    this.downloads = downloads;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** Starts a browser and opens a page. */
  static async open(url: string, folder: string): Promise<Browser> {
    const args = [...FLAGS, `--user-data-dir=${folder}/profile`, "about:blank"];
    const process = new Deno.Command("chromium", { args, stderr: "piped", stdout: "null" }).spawn();
    const port = await portOf(process);
    const targets: { type: string; webSocketDebuggerUrl: string }[] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const socket = new WebSocket(targets.find(({ type }) => type === "page")!.webSocketDebuggerUrl);
    await new Promise((resolve) => socket.onopen = resolve);
    const browser = new Browser(process, socket, `${folder}/downloads`);
    for (const part of ["Runtime", "Log", "Page", "DOM"]) await browser.#send(`${part}.enable`);
    await browser.#send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: browser.downloads });
    const loaded = new Promise<void>((resolve) => browser.#loaded = resolve);
    await browser.#send("Page.navigate", { url });
    await loaded;
    return browser;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: unknown }).value;
  }

  /** Waits until an expression holds in the page. */
  async until(condition: string): Promise<void> {
    for (let i = 0; i < 1200; i++) {
      if (await this.evaluate(condition)) return;
      await delay(100);
    }
    throw new Error(
      `${condition} did not come about; the page says: ${await this.evaluate("document.getElementById('status').textContent")}`,
    );
  }

  /** Chooses files, as a user does who opens them. */
  async choose(paths: readonly string[]): Promise<void> {
    const { root } = await this.#send("DOM.getDocument") as { root: { nodeId: number } };
    const { nodeId } = await this.#send("DOM.querySelector", { nodeId: root.nodeId, selector: "#files" });
    await this.#send("DOM.setFileInputFiles", { nodeId, files: paths });
  }

  /** Presses a key. */
  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) await this.#send("Input.dispatchKeyEvent", { type, key });
  }

  /** Clicks, and waits for the file that is saved then. */
  async save(selector: string, name: string): Promise<Uint8Array> {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
    const path = `${this.downloads}/${name}`;
    for (let i = 0; i < 300; i++) {
      try {
        // a download has another name until it is complete
        const file = Deno.readFileSync(path);
        Deno.removeSync(path);
        return file;
      } catch {
        await delay(100);
      }
    }
    throw new Error(`${name} was not saved`);
  }

  /** Looks like another window. */
  async look({ width, height, dark = false }: Look): Promise<void> {
    await this.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.#send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
    });
  }

  /** A picture of the page, as PNG. */
  async picture(): Promise<Uint8Array> {
    return Uint8Array.fromBase64((await this.#send("Page.captureScreenshot", { format: "png" }))["data"] as string);
  }

  /** Ends the browser, with all of its processes: it goes on writing into its folder until then. */
  async [Symbol.asyncDispose](): Promise<void> {
    void this.#send("Browser.close");
    await this.#process.status;
  }

  #send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #hear({ id, method, params, result }: Reply): void {
    if (id !== undefined) this.#waiting.get(id)?.(result ?? {});
    else if (method === "Page.loadEventFired") this.#loaded();
    else if (method === "Runtime.exceptionThrown" || (method === "Runtime.consoleAPICalled" && params?.["type"] === "error")) {
      this.errors.push(JSON.stringify(params));
    } else if (method === "Log.entryAdded") {
      const { level, text } = params!["entry"] as { level: string; text: string };
      if (level === "error") this.errors.push(text);
    }
  }
}

/** The port that the browser says on its standard error, which is read on so that it never waits for a reader. */
async function portOf({ stderr }: Deno.ChildProcess): Promise<string> {
  const [first, rest] = stderr.tee();
  void rest.pipeTo(new WritableStream()).catch(() => {});
  let text = "";
  for await (const part of first.pipeThrough(new TextDecoderStream())) {
    const port = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(text += part)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error(`Chromium did not start: ${text}`);
}
