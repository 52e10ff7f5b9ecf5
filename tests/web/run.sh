#!/usr/bin/env bash
# The page in headless Chromium and the tasks in Deno give the same bits on Chromium's software Vulkan driver.
set -euo pipefail
cd "$(dirname "$0")/../.."

bash tests/web/install.sh
deno task --quiet bundle --quick
export VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
deno run --quiet --lock=deno.lock --no-check --allow-all tests/web/run.ts
