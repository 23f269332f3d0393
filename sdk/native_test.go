package sdk_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
)

// benchConfigs are the examples' configs in benchmarks.
var benchConfigs = map[string]string{"filter": `{"prefix": "10."}`, "split": `{"minimum": 50}`, "extract": `{}`, "session": `{}`}

// benchBatch makes a batch that an example would see in a shop: few beacons are
// internal, one in six is a click, one in twenty an order.
func benchBatch(plan *abi.Plan, example string) *abi.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	text := func(format string, args ...any) abi.Value {
		return abi.Value{Kind: abi.String, Text: fmt.Appendf(nil, format, args...)}
	}
	number := func(v float64) abi.Value { return abi.Value{Kind: abi.Number, Text: fmt.Appendf(nil, "%.2f", v)} }
	rows := make([][]abi.Value, benchRows)
	for i := range rows {
		var missing abi.Value
		switch example {
		case "filter":
			internal := missing
			if rng.IntN(50) == 0 {
				internal = abi.Value{Kind: abi.True, Text: []byte("true")}
			}
			rows[i] = []abi.Value{internal, text("%d.%d.%d.%d", 8+rng.IntN(200), rng.IntN(256), rng.IntN(256), rng.IntN(256))}
		case "split":
			rows[i] = []abi.Value{number(rng.Float64() * 200)}
		case "extract":
			rows[i] = []abi.Value{text("view"), missing, missing, missing}
			if rng.IntN(6) == 0 {
				rows[i] = []abi.Value{text("click"), text("img-%d.png", rng.IntN(1000)), text("slot%d", rng.IntN(9)), number(rng.Float64())}
			}
		case "session":
			rows[i] = []abi.Value{text("view"), missing}
			if rng.IntN(20) == 0 {
				rows[i] = []abi.Value{text("order"), number(rng.Float64() * 200)}
			}
		}
	}
	b := new(abi.Batch)
	abi.Build(plan.Fields, rows, b)
	if len(plan.Cells) > 0 {
		withSessions(b, plan, benchRows/5, rng)
	}
	return b
}

// withSessions makes the rows beacons of n sessions that have just begun.
func withSessions(b *abi.Batch, plan *abi.Plan, n int, rng *rand.Rand) {
	for range b.Rows {
		b.Slots = append(b.Slots, uint32(rng.IntN(n)))
	}
	for range plan.Cells {
		b.Cells = append(b.Cells, make([]uint64, n))
	}
}

// nativeRules has the rules of the examples as a Go function of the same columns, with the
// config of the benchmarks: what guests are measured against.
var nativeRules = map[string]func(b *abi.Batch, out *abi.Output){
	"filter": func(b *abi.Batch, out *abi.Output) {
		internal, remote, prefix := &b.Columns[0], &b.Columns[1], []byte("10.")
		for row := range b.Rows {
			if row&7 == 0 {
				out.Keep = append(out.Keep, 0)
			}
			out.Reasons = append(out.Reasons, 0)
			if !abi.Bit(internal.Bits, row) && !bytes.HasPrefix(remote.Bytes[remote.Offsets[row]:remote.Offsets[row+1]], prefix) {
				abi.SetBit(out.Keep, row)
			}
		}
	},
	"split": func(b *abi.Batch, out *abi.Output) {
		price := &b.Columns[0]
		for row := range b.Rows {
			route := uint16(abi.NoRoute)
			if abi.Bit(price.Valid, row) {
				route = 0
				if price.F64[row] >= 50 {
					route = 1
				}
			}
			out.Routes = append(out.Routes, route)
		}
	},
	"extract": func(b *abi.Batch, out *abi.Output) {
		kind, image, slot, weight := &b.Columns[0], &b.Columns[1], &b.Columns[2], &b.Columns[3]
		click := uint32(len(kind.Offsets))
		for i := range len(kind.Offsets) - 1 {
			if string(kind.Bytes[kind.Offsets[i]:kind.Offsets[i+1]]) == "click" {
				click = uint32(i)
			}
		}
		out.Counters = append(out.Counters, 0)
		for row := range b.Rows {
			if !abi.Bit(kind.Valid, row) || kind.Codes[row] != click {
				continue
			}
			id, at := image.Bytes[image.Offsets[row]:image.Offsets[row+1]], slot.Bytes[slot.Offsets[row]:slot.Offsets[row+1]]
			m := abi.Measurement{Row: uint32(row), Value: 1}
			if len(id)+len(at) > 0 {
				out.Attributes = append(out.Attributes, [][]byte{id, at})
				m.Attributes = uint32(len(out.Attributes))
			} else {
				out.Counters[0]++
			}
			out.Measurements = append(out.Measurements, m)
			if abi.Bit(weight.Valid, row) {
				out.Measurements = append(out.Measurements, abi.Measurement{Row: uint32(row), Point: 1, Value: weight.F64[row]})
			}
		}
	},
	"session": func(b *abi.Batch, out *abi.Output) {
		kind, price := &b.Columns[0], &b.Columns[1]
		type state struct {
			orders int64
			spent  float64
		}
		sessions := make([]state, len(b.Cells[0]))
		for row := range b.Rows {
			if string(kind.Bytes[kind.Offsets[row]:kind.Offsets[row+1]]) != "order" || !abi.Bit(price.Valid, row) {
				continue
			}
			s := &sessions[b.Slots[row]]
			out.Measurements = append(out.Measurements, abi.Measurement{Row: uint32(row), Value: price.F64[row]})
			if s.orders > 0 {
				out.Measurements = append(out.Measurements, abi.Measurement{Row: uint32(row), Point: 1, Value: 1})
			}
			s.orders++
			s.spent += price.F64[row]
		}
	},
}

// What guests are measured against does the same.
func TestNativeRules(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			g := benchGuest(t, compile(t, "c/examples/"+e.name+".wasm"), e.name)
			b := benchBatch(g.plan, e.name)
			want, err := g.answers(b)
			if err != nil {
				t.Fatal(err)
			}
			var out abi.Output
			nativeRules[e.name](b, &out)
			got, err := tck.Answers(g.kind, g.plan, b.Rows, &out)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range got {
				if a != want[i] {
					t.Fatalf("row %d: %s, the guest says %s", i, a, want[i])
				}
			}
		})
	}
}
