#!/usr/bin/env bash
# Installs what the tests need beside Go: a browser for the page, the compilers of guests, wat2wasm for test guests, Java and
# Maven for Apache Kafka, and time-series stores (M3DB is built, which takes minutes the first time). What is there is left alone, so that it needs no network the second time.
set -euo pipefail
asc=0.28.20
zig=0.17.1
as_root=()
((EUID == 0)) || as_root=(sudo)

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need chromium chromium
need clang clang
need wasm-ld lld
[[ -e /usr/include/stdio.h ]] || missing+=(libc6-dev) # for plugins in C as native programs
need wat2wasm wabt
need /usr/bin/rustc rustc # Debian's: it brings a core for wasm32, and gets on with its own cargo only
need /usr/bin/cargo cargo
[[ -d /usr/lib/rustlib/wasm32-unknown-unknown ]] || missing+=(libstd-rust-dev-wasm32)
need node nodejs
need npm npm
need python3 python3
python3 -m pip --version &>/dev/null || missing+=(python3-pip)
need java default-jre-headless
need mvn maven
need ps procps
need curl curl
need setsid util-linux
if ((${#missing[@]})); then
  echo "installing ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
if ! command -v asc >/dev/null; then
  echo "installing AssemblyScript $asc" >&2
  "${as_root[@]}" npm install --global --no-audit --no-fund --silent "assemblyscript@$asc" >&2
fi
if ! command -v zig >/dev/null; then
  echo "installing Zig $zig" >&2
  "${as_root[@]}" python3 -m pip install --quiet --no-input --root-user-action=ignore --disable-pip-version-check \
    --target "/usr/local/lib/zig-$zig" "ziglang==$zig" >&2
  "${as_root[@]}" ln -sf "/usr/local/lib/zig-$zig/ziglang/zig" /usr/local/bin/zig
fi
"$(dirname "${BASH_SOURCE[0]}")/kafka.sh" fetch
"$(dirname "${BASH_SOURCE[0]}")/stores.sh" fetch prometheus victoria influx kairosdb opensearch m3db
