/**
 * describe() and it() of @std/testing/bdd, on Deno's own test runner.
 *
 * @module
 */

let current: { name: string; tests: [string, () => void | Promise<void>][] } | undefined;

/** Groups tests under a name; groups do not nest. */
export function describe(name: string, fn: () => void): void {
  current = { name, tests: [] };
  fn();
  const { tests } = current;
  current = undefined;
  Deno.test(name, async (t) => {
    for (const [label, body] of tests) await t.step(label, async () => await body());
  });
}

/** A test, in a group or by itself. */
export function it(name: string, fn: () => void | Promise<void>): void {
  if (current) current.tests.push([name, fn]);
  else Deno.test(name, fn);
}
