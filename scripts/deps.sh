#!/usr/bin/env bash
# Installs what the tests need beside Go: a browser for the page, clang to build guests, wat2wasm for test guests.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need chromium chromium
need clang clang
need wasm-ld lld
need wat2wasm wabt
((${#missing[@]})) || exit 0
echo "installing ${missing[*]}" >&2
as_root=()
((EUID == 0)) || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
