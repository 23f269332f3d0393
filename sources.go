// Package pharos holds the sources that a plugin's author takes along: what
// 'pharos plugin new' writes is built from them, without a network.
package pharos

import "embed"

// Sources has the SDKs with their examples, and the Go packages that Go's needs.
//
//go:embed LICENSE abi/*.go abi/tck/*.go
//go:embed sdk/c/pharos.h sdk/c/native.c sdk/c/examples/*.c sdk/c/examples/*.golden.ndjson
//go:embed sdk/go
//go:embed sdk/rust/src sdk/rust/.cargo/config.toml sdk/rust/examples/*.rs sdk/rust/examples/*.golden.ndjson
//go:embed sdk/assemblyscript/assembly sdk/assemblyscript/*.mjs sdk/assemblyscript/package.json
//go:embed sdk/assemblyscript/examples/*.ts sdk/assemblyscript/examples/*.golden.ndjson
//go:embed sdk/zig/*.zig sdk/zig/examples/*.zig sdk/zig/examples/*.golden.ndjson
var Sources embed.FS
