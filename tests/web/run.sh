#!/usr/bin/env bash
# The page in headless Chromium and the tasks in Deno give the same bits on Chromium's software Vulkan driver.
# Chromium (113 MB) is installed for this alone, where it is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v chromium >/dev/null; then
  as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
  as_root apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
deno task --quiet bundle --quick
export VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
deno run --quiet --lock=deno.lock --no-check --allow-all tests/web/run.ts
