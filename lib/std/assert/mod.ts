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
  nodeAssert.ok(actual !== undefined && actual !== null, msg ?? "Expected a value");
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Without a class anything may be thrown. */
function checkError(error: unknown, kind?: ErrorClass<Error>, includes?: string): unknown {
  if (!kind) return error;
  nodeAssert.ok(error instanceof Error, "A non-Error object was thrown");
  const { constructor, message } = error;
  if (!(error instanceof kind)) {
    throw new nodeAssert.AssertionError({ message: `Expected ${kind.name}: got ${constructor.name}: ${message}` });
  }
  if (includes !== undefined) assertStringIncludes(message, includes);
  return error;
}

/** Throws unless the function throws; returns what it has thrown. */
export function assertThrows(fn: () => unknown): unknown;
/** Throws unless the function throws such an error; returns the error. */
export function assertThrows<E extends Error>(fn: () => unknown, kind: ErrorClass<E>, msgIncludes?: string): E;
export function assertThrows(fn: () => unknown, kind?: ErrorClass<Error>, msgIncludes?: string): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, kind, msgIncludes);
  }
  throw new nodeAssert.AssertionError({ message: "Expected function to throw" });
}

/** Throws unless the promise is rejected; resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>): Promise<unknown>;
/** Throws unless the promise is rejected with such an error; resolves to the error. */
export function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  kind: ErrorClass<E>,
  msgIncludes?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  kind?: ErrorClass<Error>,
  msgIncludes?: string,
): Promise<unknown> {
  // outside of try: what is thrown before there is a promise is no rejection
  const promise = fn();
  try {
    await promise;
  } catch (error) {
    return checkError(error, kind, msgIncludes);
  }
  throw new nodeAssert.AssertionError({ message: "Expected function to reject" });
}
