/** @file Temporary folders for tests, and what runs leave in them. */

import { decodeResume, type Resume } from "../../lib/train/checkpoint.ts";

/** A new folder that goes away with its block. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "l2vit-" });
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}

/** What a run goes on from. */
export function readResume(path: string): Promise<Resume> {
  return decodeResume(Deno.readFileSync(path), path);
}
