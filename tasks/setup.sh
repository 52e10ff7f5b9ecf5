#!/usr/bin/env bash
# Makes this machine ready: Deno, and a WebGPU adapter. Says nothing where nothing is missing.
#
#   bash tasks/setup.sh
#
# Deno comes from the npm package "deno", which ships the binary. Where WebGPU finds no adapter, or only OpenGL, Debian
# and Ubuntu get Mesa's software Vulkan driver; elsewhere the command that would help is printed. macOS and
# Windows bring their own drivers.
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.9.6

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    say "This needs root rights. Run: $*"
    return 1
  fi
}

if ! command -v deno >/dev/null; then
  command -v npm >/dev/null || { say "Neither Deno nor npm is here. Install Deno $version from https://deno.com, then run this again"; exit 1; }
  say "Installing Deno $version with npm"
  npm install --global --silent --no-fund --no-audit "deno@$version" >&2 || { say "npm could not install it. With root rights: npm install --global deno@$version"; exit 1; }
fi

# an adapter that is driven natively: OpenGL counts as a problem, since it is several times slower
adapter() { deno task --quiet doctor --adapter >/dev/null 2>&1; }

if ! adapter; then
  if [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null; then
    say "WebGPU has no Vulkan driver: installing Mesa's software Vulkan driver"
    as_root apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers libvulkan1 >/dev/null
    adapter || { deno task --quiet doctor >&2; exit 1; }
  else
    say "WebGPU has no Vulkan driver. Install a Vulkan driver; on Fedora: dnf install mesa-vulkan-drivers vulkan-loader; on Arch: pacman -S vulkan-swrast vulkan-icd-loader"
    exit 1
  fi
fi
