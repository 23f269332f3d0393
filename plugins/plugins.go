// Package plugins holds the shipped plugins, so that the binary can lay them out
// where a config names them.
package plugins

import "embed"

// Files has NAME/NAME.wasm, NAME/NAME.golden.ndjson and the data files of every
// shipped plugin.
//
//go:embed bots/bots.wasm bots/bots.golden.ndjson bots/agents.txt
//go:embed platform/platform.wasm platform/platform.golden.ndjson
//go:embed clicks/clicks.wasm clicks/clicks.golden.ndjson
var Files embed.FS
