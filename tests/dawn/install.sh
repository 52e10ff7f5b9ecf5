#!/usr/bin/env bash
# Fetches Dawn for Node (npm:webgpu, 51 MB) where it is missing, for the checks in this folder alone.
set -euo pipefail
cd "$(dirname "$0")"

npm ls --silent >/dev/null 2>&1 || npm ci --silent
