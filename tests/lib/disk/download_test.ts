import { assertEquals, assertRejects } from "@std/assert";
import { Interrupted } from "../../../lib/interrupted.ts";
import { download, DownloadError, type DownloadOptions, type RemoteFile } from "../../../lib/disk/download.ts";
import { sha256 } from "../../../lib/data/fingerprint.ts";
import { temporaryFolder } from "../../support/files.ts";
import { type Answer, honest, type Request, serve, whole } from "../../support/server.ts";

const FILE = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8) * 7) & 255);
const MAGIC = FILE.slice(0, 8);

interface Case {
  readonly path: string;
  readonly partial: string;
  readonly asked: readonly (number | undefined)[];
  readonly fetch: (file?: Partial<RemoteFile>, options?: DownloadOptions) => Promise<boolean>;
}

/** Runs a test against a server, with a folder of its own. */
async function withServer(answer: (request: Request) => Answer, test: (_: Case) => Promise<void>): Promise<void> {
  using folder = temporaryFolder();
  using server = serve(answer);
  const path = `${folder.path}/jets.h5`;
  const fetch = (file: Partial<RemoteFile> = {}, options: DownloadOptions = {}) =>
    download({ url: server.url, path, bytes: FILE.length, magic: MAGIC, ...file }, { pause: () => 1, ...options });
  await test({ path, partial: `${path}.partial`, asked: server.asked, fetch });
}

/** Asserts that the file is there, bit for bit, and nothing else. */
function assertComplete({ path }: Case): void {
  assertEquals(Deno.readFileSync(path), FILE);
  assertEquals(Array.from(Deno.readDirSync(path.replace("/jets.h5", "")), ({ name }) => name), ["jets.h5"]);
}

/** Asserts that what an earlier attempt brought is still there, and that there is no file. */
function assertKept({ path, partial }: Case, bytes: number): void {
  assertEquals(Deno.readFileSync(partial), FILE.slice(0, bytes));
  assertEquals(exists(path), false);
}

function exists(path: string): boolean {
  return Array.from(Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))).some(({ name }) => path.endsWith(`/${name}`));
}

Deno.test("download() fetches a file and leaves nothing else", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    assertEquals(await one.fetch({ sha256: await sha256(FILE) }), true);
    assertComplete(one);
    assertEquals(one.asked, [undefined]);
  });
});

Deno.test("download() goes on where the connection was cut, as often as it is cut", async () => {
  const cutting = (request: Request): Answer => {
    const { head, body: [rest] } = honest(FILE, request);
    return { head, body: [(rest as Uint8Array).subarray(0, 70_000), "cut"] };
  };
  await withServer(cutting, async (one) => {
    await one.fetch();
    assertComplete(one);
    assertEquals(one.asked, [undefined, 70_000, 140_000, 210_000, 280_000]);
  });
});

Deno.test("download() goes on with what an earlier process has left", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    Deno.writeFileSync(one.partial, FILE.subarray(0, 123_456));
    await one.fetch();
    assertComplete(one);
    assertEquals(one.asked, [123_456]);
  });
});

Deno.test("download() gives up a silent connection and asks again", async () => {
  const stalling = (request: Request): Answer => {
    const { head, body } = honest(FILE, request);
    return request.number === 0 ? { head, body: [FILE.subarray(0, 100_000), "stall"] } : { head, body };
  };
  await withServer(stalling, async (one) => {
    await one.fetch({}, { stall: 200 });
    assertComplete(one);
    assertEquals(one.asked, [undefined, 100_000]);
  });
});

Deno.test("download() asks again when the server is busy", async () => {
  const busy = (request: Request): Answer =>
    request.number < 3 ? { head: ["503 Service Unavailable", "content-length: 0"], body: [] } : honest(FILE, request);
  await withServer(busy, async (one) => {
    await one.fetch();
    assertComplete(one);
  });
});

Deno.test("download() takes the whole file from a server that knows no ranges", async () => {
  await withServer(() => whole(FILE), async (one) => {
    Deno.writeFileSync(one.partial, FILE.subarray(0, 123_456));
    await one.fetch();
    assertComplete(one);
  });
});

Deno.test("download() does not believe a range that it has not asked for", async () => {
  const lying = ({ start }: Request): Answer =>
    start === undefined ? whole(FILE) : {
      head: ["206 Partial Content", `content-length: ${FILE.length}`, `content-range: bytes 0-${FILE.length - 1}/${FILE.length}`],
      body: [FILE],
    };
  await withServer(lying, async (one) => {
    Deno.writeFileSync(one.partial, FILE.subarray(0, 1000));
    await one.fetch();
    assertComplete(one);
    assertEquals(one.asked, [1000, undefined]);
  });
});

Deno.test("download() sees by the hash that a server sent other bytes than its range says", async () => {
  const lying = (request: Request): Answer => ({
    ...honest(FILE, request),
    body: [FILE.subarray(0, FILE.length - request.start!)],
  });
  await withServer(lying, async (one) => {
    Deno.writeFileSync(one.partial, FILE.subarray(0, 1000));
    const hash = await sha256(FILE);
    await assertRejects(() => one.fetch({ sha256: hash }), DownloadError, "SHA-256");
    assertEquals(exists(one.path), false);
  });
});

const REFUSED: Readonly<Record<string, { readonly answer: (request: Request) => Answer; readonly says: string }>> = {
  "a page in place of the file": {
    answer: () => ({ head: ["200 OK", "content-type: text/html"], body: [new TextEncoder().encode("<html>log in</html>")] }),
    says: "a page instead of the file",
  },
  "a page that says nothing of its type": {
    answer: () => ({ head: ["200 OK"], body: [new TextEncoder().encode("<html>log in</html>")] }),
    says: "does not begin like the file",
  },
  "a missing file": { answer: () => ({ head: ["404 Not Found"], body: [] }), says: "404 Not Found" },
  "another size": {
    answer: () => ({ head: ["200 OK", "content-length: 77"], body: [FILE.subarray(0, 77)] }),
    says: "offers 77 bytes",
  },
  "a range of a file of another size": {
    answer: ({ start }) => ({ head: ["206 Partial Content", `content-range: bytes ${start}-76/77`], body: [] }),
    says: "offers 77 bytes",
  },
  "more than the file": {
    answer: () => ({ head: ["200 OK"], body: [FILE, FILE] }),
    says: "sends more than",
  },
  "connections that bring nothing": { answer: () => ({ head: ["200 OK"], body: ["cut"] }), says: "3 times in a row" },
};

for (const [name, { answer, says }] of Object.entries(REFUSED)) {
  Deno.test(`download() refuses ${name}, and keeps what had come before`, async () => {
    await withServer(answer, async (one) => {
      Deno.writeFileSync(one.partial, FILE.subarray(0, 1000));
      await assertRejects(() => one.fetch({}, { attempts: 3 }), DownloadError, says);
      assertEquals(exists(one.path), false);
      // at worst the file has grown by bytes of the file itself
      assertEquals(Deno.readFileSync(one.partial).subarray(0, 1000), FILE.subarray(0, 1000));
    });
  });
}

Deno.test("download() refuses what its check refuses, and says how to start anew", async () => {
  const verify = () => Promise.reject(new Error("not the published file"));
  await withServer((request) => honest(FILE, request), async (one) => {
    await assertRejects(() => one.fetch({ verify }), DownloadError, "not the published file. Remove");
    assertKept(one, FILE.length);
  });
});

Deno.test("download() does not start on a disk that is too small", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    await assertRejects(() => one.fetch({}, { freeBytes: () => 1000 }), DownloadError, "Make room");
    assertEquals(one.asked, []);
  });
});

Deno.test("download() takes a file that is there for granted, unless its size is wrong", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    Deno.writeFileSync(one.path, FILE);
    assertEquals(await one.fetch(), false);
    Deno.writeFileSync(one.path, FILE.subarray(1));
    await assertRejects(() => one.fetch(), DownloadError, "Move it away");
    assertEquals(one.asked, []);
  });
});

Deno.test("download() stops when asked to, and goes on from there", async () => {
  const slow = (request: Request): Answer => {
    const { head, body } = honest(FILE, request);
    return request.number === 0 ? { head, body: [FILE.subarray(0, 100_000), "stall"] } : { head, body };
  };
  await withServer(slow, async (one) => {
    const abort = new AbortController();
    const progress = (done: number) => done === 100_000 && abort.abort();
    await assertRejects(() => one.fetch({}, { signal: abort.signal, progress }), Interrupted, "0.1 MB of 0.3 MB");
    assertKept(one, 100_000);
    await one.fetch();
    assertComplete(one);
  });
});

Deno.test("download() compares the hash of a file that is there already", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    const hash = await sha256(FILE);
    Deno.writeFileSync(one.path, FILE);
    assertEquals(await one.fetch({ sha256: hash }), false);
    const damaged = FILE.slice();
    damaged[damaged.length >> 1]! ^= 1;
    Deno.writeFileSync(one.path, damaged);
    await assertRejects(() => one.fetch({ sha256: hash }), DownloadError, "Move it away, then download again");
    await assertRejects(() => one.fetch({ sha256: hash, bytes: undefined }), DownloadError, "the SHA-256 of what is there is");
    assertEquals([Deno.readFileSync(one.path), one.asked], [damaged, []]);
  });
});

for (const when of ["while bytes come", "while it waits for the next attempt"] as const) {
  Deno.test(`download() that is stopped ${when} ends at once, without another attempt`, async () => {
    const abort = new AbortController();
    const answer = (request: Request): Answer => {
      if (when === "while it waits for the next attempt") {
        return { head: ["503 Service Unavailable", "content-length: 0"], body: [] };
      }
      return { head: honest(FILE, request).head, body: [FILE.subarray(0, 100_000), "stall"] };
    };
    await withServer(answer, async (one) => {
      const told: string[] = [];
      const waiting = (why: string) => {
        told.push(why);
        queueMicrotask(() => abort.abort());
      };
      const progress = (done: number) => done === 100_000 && abort.abort();
      // the pause is longer than any test may take
      const options = { signal: abort.signal, progress, waiting, pause: () => 3_600_000 };
      await assertRejects(() => one.fetch({}, options), Interrupted);
      assertEquals([told.length, one.asked.length], [when === "while bytes come" ? 0 : 1, 1]);
    });
  });
}

Deno.test("download() leaves a file alone that another process is downloading", async () => {
  await withServer((request) => honest(FILE, request), async (one) => {
    const waiting = one.fetch({}, { progress: () => {} });
    await assertRejects(() => one.fetch(), DownloadError, "another process");
    await waiting;
    assertComplete(one);
  });
});
