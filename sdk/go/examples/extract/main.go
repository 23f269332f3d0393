// Command extract is an example plugin: it measures image clicks with the image
// and its slot, and counts those without.
package main

import (
	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

const (
	kind = iota // columns
	image
	slot
	weight
)

const (
	click = iota // points
	clickWeight
)

const withoutImage = 0 // counter

func init() {
	pharos.Register(pharos.Plugin{
		Manifest: pharos.Manifest{
			Kind: abi.Extract, Name: "images", Version: "1.0.0", Description: "Image clicks by image and slot.",
			Schema: `{"type":"object","additionalProperties":false}`,
		},
		Configure: configure,
		Process:   process,
	})
}

func configure(pharos.Config) (abi.Plan, error) {
	return abi.Plan{
		Fields: []abi.Field{
			{Name: "type", Type: abi.Str, Dict: true}, {Name: "img.id", Type: abi.Str},
			{Name: "img.slot", Type: abi.Str}, {Name: "weight", Type: abi.F64},
		},
		Points: []abi.Point{
			click: {Name: "image_click", Attributes: []string{"image", "slot"}}, clickWeight: {Name: "image_weight"},
		},
		Counters: []string{"without_image"},
	}, nil
}

func process(b *pharos.Batch) error {
	kinds, images, slots, weights := b.Column(kind), b.Column(image), b.Column(slot), b.Column(weight)
	code := -1 // of "click" in this batch's dictionary
	for i := range kinds.Entries() {
		if string(kinds.Entry(i)) == "click" {
			code = i
		}
	}
	for row := range b.Rows() {
		if !kinds.Valid(row) || kinds.Code(row) != code {
			continue
		}
		id, at := images.Text(row), slots.Text(row)
		if len(id) == 0 && len(at) == 0 {
			b.Count(withoutImage, 1)
		}
		b.Measure(row, click, 1, id, at)
		if weights.Valid(row) {
			b.Measure(row, clickWeight, weights.F64(row))
		}
	}
	return nil
}

func main() {}
