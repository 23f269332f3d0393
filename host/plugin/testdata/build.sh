#!/usr/bin/env bash
# Builds the tests' guests: moody.c as each kind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for kind in filter split extract; do
  clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-function -nostdlib -mbulk-memory \
    -I../../../sdk/c -DKIND=$kind -DIS_$kind -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 -o $kind.wasm moody.c
done
