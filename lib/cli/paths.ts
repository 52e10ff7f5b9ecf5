/**
 * @file Where data, packed data, weights, runs and reports are.
 *
 * They lie beside deno.json unless the environment variable L2VIT_ROOT names another folder, which ends in a
 * slash. The permissions in deno.json's tasks are for the same places.
 */

const FOLDERS = ["data", "cache", "weights", "runs", "reports"];

/**
 * The path under which a file is opened.
 *
 * @param path as the user or a config gives it, such as "data/jets.h5"
 */
export function rooted(path: string): string {
  const below = path.replace(/^\.\//, "");
  return FOLDERS.includes(below.split("/")[0]!) ? root() + below : path;
}

/**
 * Why L2VIT_ROOT cannot be used; undefined if it can.
 *
 * A comma is refused by the task "root" of deno.json, before permissions are made of it. The shell of `deno task` makes one
 * space of several, so that such a root would not be the one of the permissions.
 */
export function rootProblem(): string | undefined {
  const name = root();
  const shown = JSON.stringify(name);
  if (/^\s|\s{2}|[\t\r\n]/.test(name)) {
    return `L2VIT_ROOT must have no space at its start, none after another, and no tab or line break: it is ${shown}. ` +
      "Use a folder of another name";
  }
  const ends = Deno.build.os === "windows" ? /[/\\]$/ : /\/$/;
  if (name !== "" && !ends.test(name)) return `L2VIT_ROOT must end in a slash: it is ${shown}. Use L2VIT_ROOT="${name}/"`;
  return undefined;
}

function root(): string {
  return Deno.env.get("L2VIT_ROOT") ?? "";
}
