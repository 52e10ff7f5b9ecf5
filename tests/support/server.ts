/** @file A server for tests that can do what real ones do on bad days. */

/** What a client asked for. */
export interface Request {
  /** First byte of the range, or undefined if the whole file was asked for. */
  readonly start: number | undefined;
  /** Number of requests before this one. */
  readonly number: number;
}

/** An answer: status line and headers, then pieces of the body; "cut" closes the connection, "stall" keeps it silent. */
export interface Answer {
  readonly head: readonly string[];
  readonly body: readonly (Uint8Array | "cut" | "stall")[];
}

/** A server on a port of its own, with the ranges it was asked for. */
export interface TestServer extends Disposable {
  readonly url: string;
  readonly asked: (number | undefined)[];
}

/** Starts a server that answers as a function says. */
export function serve(answer: (request: Request) => Answer): TestServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: (number | undefined)[] = [];
  const open = new Set<Deno.TcpConn>();
  const accept = async () => {
    for await (const connection of listener) {
      open.add(connection);
      respond(connection, asked, answer).finally(() => {
        open.delete(connection);
        close(connection);
      });
    }
  };
  accept();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/jets.h5`,
    asked,
    [Symbol.dispose]() {
      listener.close();
      open.forEach(close);
    },
  };
}

/** An honest server's answer, with ranges. */
export function honest(file: Uint8Array, { start }: Request): Answer {
  if (start === undefined) return whole(file);
  return {
    head: [
      "206 Partial Content",
      `content-length: ${file.length - start}`,
      `content-range: bytes ${start}-${file.length - 1}/${file.length}`,
    ],
    body: [file.subarray(start)],
  };
}

/** The whole file, whatever was asked for. */
export function whole(file: Uint8Array): Answer {
  return { head: ["200 OK", `content-length: ${file.length}`], body: [file] };
}

async function respond(
  connection: Deno.TcpConn,
  asked: (number | undefined)[],
  answer: (request: Request) => Answer,
): Promise<void> {
  try {
    const range = /range: bytes=(\d+)-/i.exec(await readHead(connection))?.[1];
    const start = range === undefined ? undefined : Number(range);
    const { head: [status, ...headers], body } = answer({ start, number: asked.length });
    asked.push(start);
    await send(connection, new TextEncoder().encode([`HTTP/1.1 ${status}`, ...headers, "connection: close", "", ""].join("\r\n")));
    for (const piece of body) {
      if (piece === "cut") return;
      // until the client gives up
      if (piece === "stall") await connection.read(new Uint8Array(1));
      else await send(connection, piece);
    }
  } catch (error) {
    // the client has gone, or the server: some tests make them
    const { BrokenPipe, ConnectionReset, Interrupted } = Deno.errors;
    if (![BrokenPipe, ConnectionReset, Interrupted].some((kind) => error instanceof kind)) throw error;
  }
}

async function readHead(connection: Deno.TcpConn): Promise<string> {
  const chunk = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const n = await connection.read(chunk);
    if (n === null) break;
    text += new TextDecoder().decode(chunk.subarray(0, n));
  }
  return text;
}

async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
