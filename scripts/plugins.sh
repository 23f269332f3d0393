#!/usr/bin/env bash
# Builds the shipped plugins and the examples of the SDKs whose modules are checked in.
#   plugins.sh [OUT]   with OUT, writes below that folder instead of beside the sources
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# place FILE MODULE: a module that was built, to its path in the project.
place() {
  local to=${out:+$out/}$2
  mkdir -p "$(dirname "$to")"
  rm -f "$to"
  cp "$1" "$to"
  echo "$2 $(stat -c %s "$1") bytes"
}

c() {
  local source
  for source in plugins/*/*.c sdk/c/examples/*.c; do
    clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-function -nostdlib -mbulk-memory \
      -Isdk/c -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=16384 -o "$work/c.wasm" "$source"
    place "$work/c.wasm" "${source%.c}.wasm"
  done
}

# Debian's compiler, which alone brings a core for wasm32: another cargo does not get on with it.
rust() {
  local source name
  (cd sdk/rust && PATH=/usr/bin:/bin CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --offline --quiet --release \
    --config "target.wasm32-unknown-unknown.rustflags=['--remap-path-prefix=$PWD=pharos']" --target wasm32-unknown-unknown --target-dir "$work/rust" --examples)
  for source in sdk/rust/examples/*.rs; do
    name=$(basename "$source" .rs)
    place "$work/rust/wasm32-unknown-unknown/release/examples/$name.wasm" "sdk/rust/examples/$name.wasm"
  done
}

assemblyscript() {
  local source
  for source in sdk/assemblyscript/examples/*.ts; do
    asc "$source" -O3 --noAssert --use abort= -o "$work/as.wasm"
    place "$work/as.wasm" "${source%.ts}.wasm"
  done
}

zig_() {
  local source
  for source in sdk/zig/examples/*.zig; do
    ZIG_LOCAL_CACHE_DIR=$work/zig ZIG_GLOBAL_CACHE_DIR=$work/zig zig build-exe -target wasm32-freestanding -O ReleaseSafe \
      -fno-entry -rdynamic -fstrip -fsingle-threaded --stack 65536 "-femit-bin=$work/zig.wasm" \
      --dep pharos "-Mroot=$source" -Mpharos=sdk/zig/pharos.zig
    place "$work/zig.wasm" "${source%.zig}.wasm"
  done
}

out=${1-}
c
rust
assemblyscript
zig_
