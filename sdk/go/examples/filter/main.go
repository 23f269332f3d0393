// Command filter is an example plugin: it drops beacons of internal visitors, by
// a flag or by an address that begins with the configured prefix.
package main

import (
	"bytes"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

const (
	internal = iota // columns
	remote
)

var prefix []byte

func init() {
	pharos.Register(pharos.Plugin{
		Manifest: pharos.Manifest{
			Kind: abi.Filter, Name: "internal", Version: "1.0.0", Description: "Drops beacons of internal visitors.",
			Schema: `{"type":"object","properties":{"prefix":{"type":"string"}},"additionalProperties":false}`,
		},
		Configure: configure,
		Process:   process,
	})
}

func configure(c pharos.Config) (abi.Plan, error) {
	var config struct{ Prefix string }
	if err := c.Decode(&config); err != nil {
		return abi.Plan{}, err
	}
	prefix = []byte(config.Prefix)
	return abi.Plan{
		Fields:  []abi.Field{{Name: "internal", Type: abi.Bool}, {Name: "remote", Type: abi.Str}},
		Reasons: []string{"internal"},
	}, nil
}

func process(b *pharos.Batch) error {
	flag, from := b.Column(internal), b.Column(remote)
	for row := range b.Rows() {
		if flag.Bool(row) || len(prefix) > 0 && bytes.HasPrefix(from.Text(row), prefix) {
			b.Drop(row, 0)
		} else {
			b.Keep(row)
		}
	}
	return nil
}

func main() {}
