#!/usr/bin/env bash
# Builds the shipped plugins and the examples of the C SDK: every NAME.c below plugins/ and sdk/c/examples/.
#   plugins.sh [OUT]   with OUT, writes into that folder instead of beside the sources
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for source in plugins/*/*.c sdk/c/examples/*.c; do
  module=${source%.c}.wasm
  [[ -z ${1-} ]] || module=$1/$(basename "$module")
  clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-function -nostdlib -mbulk-memory \
    -Isdk/c -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=16384 -o "$module" "$source"
  echo "$module $(stat -c %s "$module") bytes"
done
