package sdk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"pgregory.net/rapid"
)

// Texts that a guest makes arrive, whatever room there was at first.
func TestOwnTexts(t *testing.T) {
	for _, l := range languages {
		if l.build != nil {
			t.Run(l.name, func(t *testing.T) { testOwnTexts(t, compile(t, l.build(t, "text"))) })
		}
	}
}

func testOwnTexts(t *testing.T, m *module) {
	g, err := m.instance(`{}`)
	if err != nil {
		t.Fatal(err)
	}
	pure(t, m, `{}`, []string{"5", "5.0"})
	rapid.Check(t, func(r *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		rows := tck.Rows(rng, len(g.plan.Fields), rapid.IntRange(1, 100).Draw(r, "rows"), "5", "5.0", "longer")
		var b abi.Batch
		var out abi.Output
		abi.Build(g.plan.Fields, rows, &b)
		g.room = abi.Capacity{
			Measurements: rapid.IntRange(0, 400).Draw(r, "measurements"), Tuples: rapid.IntRange(0, 100).Draw(r, "tuples"),
			Text: rapid.IntRange(0, 4000).Draw(r, "text"),
		}
		if err := g.Process(context.Background(), &b, &out); err != nil {
			r.Fatal(err)
		}
		got := make([]string, len(rows))
		for _, m := range out.Measurements {
			if m.Attributes > 0 && len(out.Attributes[m.Attributes-1][0]) > 0 { // a tuple of nothing is as none
				got[m.Row] += fmt.Sprintf("%q", out.Attributes[m.Attributes-1])
			}
			got[m.Row] += fmt.Sprintf("%d %v;", m.Point, m.Value)
		}
		want := make([]string, len(rows))
		for i := range rows {
			text := b.Columns[0].Bytes[b.Columns[0].Offsets[i]:b.Columns[0].Offsets[i+1]]
			if len(text) > 0 {
				want[i] = fmt.Sprintf("%q", []string{string(text), strings.Repeat(string(text), 2)})
			}
			want[i] += fmt.Sprintf("0 1;1 %d;", b.Columns[1].Kinds[i])
			if v := float64(b.Columns[2].I64[i]); abi.Bit(b.Columns[2].Valid, i) {
				want[i] += fmt.Sprintf("2 %v;", v)
			}
			if abi.Bit(b.Columns[3].Bits, i) {
				want[i] += "3 1;"
			}
		}
		if !slices.Equal(got, want) {
			r.Fatalf("room for %+v:\n%q\nwanted\n%q", g.room, got, want)
		}
	})
}

// Batches of all sizes fit into the memory that a config gives by default, 16 MiB
// (compile sets that limit): an arena that is no longer used is given back.
func TestArenaGrows(t *testing.T) {
	for _, l := range languages {
		path := l.example(t, "extract")
		g, err := compile(t, path).instance(`{}`)
		if err != nil {
			t.Fatal(err)
		}
		click := []abi.Value{{Kind: abi.String, Text: []byte("click")}, {Kind: abi.String, Text: []byte(strings.Repeat("i", 30))}, {}, {Kind: abi.Number, Text: []byte("1")}}
		var b abi.Batch
		var out abi.Output
		for rows := 1; rows <= 32768; rows += 1 + rows/3 {
			abi.Build(g.plan.Fields, slices.Repeat([][]abi.Value{click}, rows), &b)
			if err := g.Process(t.Context(), &b, &out); err != nil {
				t.Fatalf("%s: %d rows: %v", path, rows, err)
			}
			if len(out.Measurements) != 2*rows || len(out.Attributes) != rows {
				t.Fatalf("%s: %d measurements and %d tuples of %d rows", path, len(out.Measurements), len(out.Attributes), rows)
			}
		}
		t.Logf("%s: %d bytes of memory, arena of %d", path, g.mod.Memory().Size(), g.size)
	}
}

// A guest that has no memory left says so, and is not dead: the host then gives it
// fewer rows. (That of Go traps, for its runtime does.)
func TestNoMemory(t *testing.T) {
	for _, l := range languages {
		if l.build != nil {
			t.Run(l.name, func(t *testing.T) { testNoMemory(t, compile(t, l.example(t, "filter"))) })
		}
	}
}

func testNoMemory(t *testing.T, m *module) {
	g, err := m.instance(`{}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []uint64{64 << 20, 1<<32 - 8, 1<<32 - 1} {
		if at := g.call(abi.ExportAlloc, size, 8); at != 0 {
			t.Errorf("%d bytes at %d", size, at)
		}
	}
	at := g.call(abi.ExportAlloc, 1<<16, 8)
	if again := g.call(abi.ExportAlloc, 1<<20, 8); at == 0 || again != at {
		t.Errorf("arena at %d, a larger one at %d", at, again)
	}
}
