#!/usr/bin/env bash
# Installs Chromium with its software Vulkan driver (113 MB) where it is missing, for the checks in this folder and in tests/dawn alone.
set -euo pipefail

command -v chromium >/dev/null && exit
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
as_root apt-get update -qq >/dev/null
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
