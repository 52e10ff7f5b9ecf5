/**
 * The assertions of @std/assert that this project uses, on Deno's own node:assert.
 *
 * @module
 */
import nodeAssert from "node:assert/strict";

/** Throws unless the expression is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  nodeAssert.ok(expr, msg || undefined);
}

/** Throws unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.deepEqual(actual, expected, msg);
}

/** Throws if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.notDeepEqual(actual, expected, msg);
}

/** Throws if two numbers differ by more than the tolerance. */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const most = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(expected - actual) <= most) return;
  throw new nodeAssert.AssertionError({ message: msg ?? `Expected ${expected} within ${most}: got ${actual}`, actual, expected });
}

/** Throws unless the string contains the other. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw new nodeAssert.AssertionError({
    message: msg ?? `Expected text to contain "${expected}": got "${actual}"`,
    actual,
    expected,
  });
}

/** Throws unless the string matches the pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  nodeAssert.match(actual, expected, msg);
}

/** Throws if the value is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  nodeAssert.ok(actual !== undefined && actual !== null, msg ?? `Expected a value: got ${actual}`);
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function checkError<E extends Error>(error: unknown, kind?: ErrorClass<E>, includes?: string): E {
  nodeAssert.ok(error instanceof Error, "A non-Error object was thrown");
  if (kind && !(error instanceof kind)) {
    throw new nodeAssert.AssertionError({ message: `Expected ${kind.name}: got ${error.constructor.name}: ${error.message}` });
  }
  if (includes !== undefined) assertStringIncludes(error.message, includes);
  return error as E;
}

/** Throws unless the function throws such an error; returns the error. */
export function assertThrows<E extends Error = Error>(fn: () => unknown, kind?: ErrorClass<E>, msgIncludes?: string): E {
  try {
    fn();
  } catch (error) {
    return checkError(error, kind, msgIncludes);
  }
  throw new nodeAssert.AssertionError({ message: "Expected function to throw" });
}

/** Throws unless the promise is rejected with such an error; resolves to the error. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  kind?: ErrorClass<E>,
  msgIncludes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, kind, msgIncludes);
  }
  throw new nodeAssert.AssertionError({ message: "Expected function to reject" });
}
