#!/usr/bin/env bash
# Builds the tests' guest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-function -nostdlib -mbulk-memory \
  -I../../../sdk/c -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 -o touchy.wasm touchy.c
