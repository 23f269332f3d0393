// Command session is an example plugin: it measures orders, which of them are not the
// first of their session, and, when a session with orders has ended, what was spent
// and how long it took.
package main

import (
	"github.com/seed-6a2d649b/pharos/abi"
	_ "github.com/seed-6a2d649b/pharos/sdk/go/closes"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

const (
	kind = iota // columns
	price
)

const (
	order = iota // points
	repeatOrder
	sessionSpent
	sessionSeconds
)

const (
	orders = iota // cells
	spent
)

func init() {
	pharos.Register(pharos.Plugin{
		Manifest: pharos.Manifest{
			Kind: abi.Extract, Name: "orders", Version: "1.0.0", Description: "Orders, and what sessions with orders spent.",
			Schema: `{"type":"object","additionalProperties":false}`,
		},
		Configure: configure,
		Process:   process,
		Close:     ended,
	})
}

func configure(pharos.Config) (abi.Plan, error) {
	return abi.Plan{
		Fields: []abi.Field{{Name: "type", Type: abi.Str}, {Name: "price", Type: abi.F64}},
		Points: []abi.Point{
			order: {Name: "order"}, repeatOrder: {Name: "repeat_order"},
			sessionSpent: {Name: "session_spent"}, sessionSeconds: {Name: "session_seconds"},
		},
		Cells: []abi.Cell{orders: {Name: "orders", Type: abi.I64}, spent: {Name: "spent", Type: abi.F64}},
	}, nil
}

func process(b *pharos.Batch) error {
	kinds, prices, so, far := b.Column(kind), b.Column(price), b.Cell(orders), b.Cell(spent)
	for row := range b.Rows() {
		if string(kinds.Text(row)) != "order" || !prices.Valid(row) {
			continue
		}
		b.Measure(row, order, prices.F64(row))
		if so.I64(row) > 0 {
			b.Measure(row, repeatOrder, 1)
		}
		so.SetI64(row, so.I64(row)+1)
		far.SetF64(row, far.F64(row)+prices.F64(row))
	}
	return nil
}

// ended gets sessions, a row each.
func ended(b *pharos.Batch) error {
	far := b.Cell(spent)
	for row := range b.Rows() {
		if b.Counted(row, order) == 0 {
			continue
		}
		b.Measure(row, sessionSpent, far.F64(row))
		b.Measure(row, sessionSeconds, float64(b.Last(row)-b.First(row))/1000)
	}
	return nil
}

func main() {}
