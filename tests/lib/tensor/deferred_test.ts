/** @file Work on gradients that operations defer: taken, or done by the tape. Nothing is computed. */

import { assertEquals } from "@std/assert";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { WorkKind } from "../../../lib/tensor/deferred.ts";
import { Tape } from "../../../lib/tensor/tape.ts";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import { gpuTest } from "../../support/gpu.ts";

const HALVE = new WorkKind<number>("halve");
const NEGATE = new WorkKind<string>("negate");

/**
 * What happens when y = f(x) defers work, and so many operations use y.
 *
 * @param known kinds that the users take
 */
function record(gpu: Gpu, known: readonly WorkKind<unknown>[], users = 1): string[] {
  const tape = new Tape(gpu, { training: true });
  const happened: string[] = [];
  const pass = (name: string) => (gradient: Tensor) => {
    happened.push(name);
    return gradient;
  };
  const [x, y] = [tape.tensor("x", [4]), tape.tensor("y", [4])];
  tape.watch(x);
  tape.defer(y, [HALVE.of(2, pass("halve")), NEGATE.of("all", pass("negate"))]);
  tape.derive(y, [x], () => happened.push("gradient of x"));
  const losses = Array.from({ length: users }, (_, i) => {
    const loss = { ...tape.tensor(`loss ${i}`, [4]), isLoss: true } as const;
    tape.derive(loss, [y], (dy) => {
      const work = tape.take(y, known);
      happened.push(`taken ${HALVE.valueIn(work)} ${NEGATE.valueIn(work)}`);
      tape.accumulate(y, dy);
    });
    return loss;
  });
  tape.backward(...losses);
  return happened;
}

gpuTest("Tape.take() gives the values of deferred work, which is not done again", (gpu) => {
  assertEquals(record(gpu, [HALVE, NEGATE]), ["taken 2 all", "gradient of x"]);
  return Promise.resolve();
});

gpuTest("Tape.take() gives none to who can do but a part of it: the tape has it done, in order", (gpu) => {
  for (const known of [[], [HALVE], [NEGATE]]) {
    assertEquals(record(gpu, known), ["taken undefined undefined", "halve", "negate", "gradient of x"]);
  }
  return Promise.resolve();
});

gpuTest("Tape.take() gives none of a tensor that is used twice: the work is done once, on the sum", (gpu) => {
  const nothing = "taken undefined undefined";
  assertEquals(record(gpu, [HALVE, NEGATE], 2), [nothing, nothing, "halve", "negate", "gradient of x"]);
  return Promise.resolve();
});
