/** @file Files of a folder by HTTP, for this machine alone. */

import { walk } from "./files.ts";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/**
 * Serves the files that are in a folder when it is called, and nothing else.
 *
 * @param port on 127.0.0.1; 0 takes any that is free
 */
export function serveFolder(folder: string, port: number): Deno.HttpServer<Deno.NetAddr> {
  const files = new Map(walk(folder).map((path) => [path.slice(folder.length), path]));
  return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async ({ url }) => {
    const { pathname } = new URL(url), path = files.get(pathname === "/" ? "/index.html" : pathname);
    if (path === undefined) return new Response("There is no such file", { status: 404 });
    const type = TYPES[path.split(".").at(-1)!] ?? "application/octet-stream";
    const headers = { "content-type": type, "cache-control": "no-cache", "x-content-type-options": "nosniff" };
    return new Response((await Deno.open(path)).readable, { headers });
  });
}
