#!/usr/bin/env bash
# Builds the tests' guests: moody.c as each kind, and sessions.c.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
build() { # SOURCE NAME DEFINITIONS...
  clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-function -nostdlib -mbulk-memory \
    -I../../../sdk/c "${@:3}" -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 -o "$2.wasm" "$1"
}
for kind in filter split extract; do
  build moody.c $kind -DKIND=$kind -DIS_$kind
done
build sessions.c sessions
