#!/usr/bin/env bash
# Builds the guests: build.sh [OUT]; with OUT, writes into that folder instead of beside the sources.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for kind in filter split extract session wasi; do
  clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -ffreestanding -nostdlib \
    -Wl,--no-entry -Wl,--strip-all -o "${1-$here}/$kind.wasm" "$here/$kind.c"
done
