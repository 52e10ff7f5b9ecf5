#!/usr/bin/env bash
# Node with Dawn, and Deno with wgpu, on one driver: the README's example gives the same weights, and the golden tests pass.
#
#     bash tests/dawn/run.sh [--quick]
#
# The driver is Chromium's software one, or that which VK_DRIVER_FILES names. Node 24 is fetched where an older one is installed. That
# driver takes seconds for each pipeline of kernels/matmul_tiled.wgsl: of the tests that make several, --quick leaves out all but one.
set -euo pipefail
cd "$(dirname "$0")/../.."
# the Vulkan loader complains on machines without a display
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

left_out=()
[ "${1:-}" != --quick ] || left_out=('(predicts|loss).*wide_kernel.*GPUs|([^d]_|\()submanifold.*GPUs|guaranteed limits')
if [ -z "${VK_DRIVER_FILES:-}" ]; then
  bash tests/web/install.sh
  export VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json
fi
bash tests/dawn/install.sh
node24() {
  if [ "$(node --version | sed 's/v\([0-9]*\).*/\1/')" -ge 24 ]; then node "$@"; else npx --yes --package=node@24.11.1 node "$@"; fi
}
bundle() { deno bundle --quiet --no-lock --platform=deno --output="tests/dawn/bundled_$1.js" "$2"; }

deno run --no-lock --allow-read tests/dawn/example.ts > tests/dawn/bundled_example.ts
bundle example tests/dawn/bundled_example.ts
bundle golden tests/lib/nn/golden_test.ts
in_deno=$(deno run --quiet --no-lock --no-check --config deno.json --allow-env --allow-read tests/dawn/bundled_example.ts)
in_node=$(node24 tests/dawn/node.js tests/dawn/bundled_example.js)
echo "The README's example, hash of its weights in Deno and in Node: $in_deno $in_node"
[ "$in_deno" = "$in_node" ]
node24 tests/dawn/node.js tests/dawn/bundled_golden.js "${left_out[@]}"
