/** @file The text of every library in kernels/lib, by the name that kernels have for it. */

import drop from "../../kernels/lib/drop.wgsl" with { type: "text" };
import gelu from "../../kernels/lib/gelu.wgsl" with { type: "text" };
import invocation from "../../kernels/lib/invocation.wgsl" with { type: "text" };
import number from "../../kernels/lib/number.wgsl" with { type: "text" };
import philox from "../../kernels/lib/philox.wgsl" with { type: "text" };
import place from "../../kernels/lib/place.wgsl" with { type: "text" };
import product from "../../kernels/lib/product.wgsl" with { type: "text" };
import step from "../../kernels/lib/step.wgsl" with { type: "text" };
import texels from "../../kernels/lib/texels.wgsl" with { type: "text" };
import tokens from "../../kernels/lib/tokens.wgsl" with { type: "text" };

/** Libraries of kernels. */
export const LIBRARIES: Readonly<Record<string, string>> = {
  "lib/drop.wgsl": drop,
  "lib/gelu.wgsl": gelu,
  "lib/invocation.wgsl": invocation,
  "lib/number.wgsl": number,
  "lib/philox.wgsl": philox,
  "lib/place.wgsl": place,
  "lib/product.wgsl": product,
  "lib/step.wgsl": step,
  "lib/texels.wgsl": texels,
  "lib/tokens.wgsl": tokens,
};
