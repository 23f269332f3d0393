#!/usr/bin/env bash
# Installs what the tests need beside Go: a browser for the page, clang and Rust to build guests, wat2wasm for test guests,
# Java and Maven for Apache Kafka.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need chromium chromium
need clang clang
need wasm-ld lld
need wat2wasm wabt
need /usr/bin/rustc rustc # Debian's: it brings a core for wasm32, and gets on with its own cargo only
need /usr/bin/cargo cargo
[[ -d /usr/lib/rustlib/wasm32-unknown-unknown ]] || missing+=(libstd-rust-dev-wasm32)
need java default-jre-headless
need mvn maven
need ps procps
need setsid util-linux
if ((${#missing[@]})); then
  echo "installing ${missing[*]}" >&2
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
"$(dirname "${BASH_SOURCE[0]}")/kafka.sh" fetch
