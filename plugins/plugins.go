// Package plugins holds the shipped plugins, so that the binary can lay them out
// where a config names them.
package plugins

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

// Files has NAME/NAME.wasm, NAME/NAME.golden.ndjson and the data files of every
// shipped plugin.
//
//go:embed bots/bots.wasm bots/bots.golden.ndjson bots/agents.txt
//go:embed assets/assets.wasm assets/assets.golden.ndjson
//go:embed platform/platform.wasm platform/platform.golden.ndjson
//go:embed clicks/clicks.wasm clicks/clicks.golden.ndjson
//go:embed basket/basket.wasm basket/basket.golden.ndjson
//go:embed images/images.wasm images/images.golden.ndjson
//go:embed visits/visits.wasm visits/visits.golden.ndjson
var Files embed.FS

// LayOut writes Files below dir, over what is there.
func LayOut(dir string) error {
	return fs.WalkDir(Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := Files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	})
}
