// Command split is an example plugin: it sends rows to the route "big" whose
// price is at least the configured minimum.
package main

import (
	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

const (
	small = iota // routes
	big
)

var minimum float64

func init() {
	pharos.Register(pharos.Plugin{
		Manifest: pharos.Manifest{
			Kind: abi.Split, Name: "by-price", Version: "1.0.0", Description: "Routes by price.",
			Schema: `{"type":"object","properties":{"minimum":{"type":"number","minimum":0}},"additionalProperties":false}`,
		},
		Configure: configure,
		Process:   process,
	})
}

func configure(c pharos.Config) (abi.Plan, error) {
	config := struct{ Minimum float64 }{Minimum: 100}
	if err := c.Decode(&config); err != nil {
		return abi.Plan{}, err
	}
	minimum = config.Minimum
	return abi.Plan{
		Fields: []abi.Field{{Name: "product.price", Type: abi.F64}},
		Routes: []string{small: "small", big: "big"},
	}, nil
}

func process(b *pharos.Batch) error {
	price := b.Column(0)
	for row := range b.Rows() {
		switch {
		case !price.Valid(row):
		case price.F64(row) >= minimum:
			b.Route(row, big)
		default:
			b.Route(row, small)
		}
	}
	return nil
}

func main() {}
