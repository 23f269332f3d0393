package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// describe says all that a key without pending beacons is, so that two can be
// compared.
func (k *key) describe(gap int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %x\nhead %s\nbefore %s\n", k.tenant.name, k.name, k.head.describe(gap), k.prefix().describe(gap))
	for i := range k.tail {
		e := &k.tail[i]
		fmt.Fprintf(&b, "%d %x/%x %d/%d@%d %v of %d dims %x units %x %v", e.time, e.id, e.name(), e.source, e.part, e.offset, e.counted,
			e.view.generation, e.dims, e.units, slices.SortedFunc(slices.Values(e.assigns), func(a, b assign) int { return int(a.trial - b.trial) }))
		for _, m := range e.measures {
			fmt.Fprintf(&b, " %d=%d[%x]", m.point, m.value, m.attributes)
		}
		if r := e.rare; r != nil {
			fmt.Fprintf(&b, " bad %d unknown %d trap %v", r.bad, r.unknown, r.trap != nil && r.trap.Plugin != "")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *state) describe(gap int64) string {
	if !s.open {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d to %d, %x, %d pending, ids", s.since, s.last, s.dims.key, s.pending)
	for _, at := range s.ids.list {
		if s.last-at.time <= gap { // others may have been let go
			fmt.Fprintf(&b, " %x@%d", s.ids.id(at), at.time)
		}
	}
	for _, e := range s.tries {
		e.figures = nil
		fmt.Fprintf(&b, ", try %+v", e)
	}
	for _, e := range s.epochs {
		if e.users > 0 {
			fmt.Fprintf(&b, ", epoch of %d", e.users)
			for _, y := range e.tallies {
				fmt.Fprintf(&b, " %d:%d=%v", y.point, y.hits, y.x)
			}
		}
	}
	return b.String()
}

// takeOpen is take, but leaves keys open.
func (p *Partition) takeOpen(t *rapid.T, records []Record, out *Output) {
	s := p.cfg.prepared.scratch.Get().(*scratch)
	n, err := s.read(t.Context(), p, records)
	if err != nil || n < len(records) {
		t.Fatal(n, err)
	}
	for i := range records {
		if err := p.step(t.Context(), s, i, &records[i], out); err != nil {
			t.Fatal(err)
		}
	}
}

// To pack a key and unpack it is to do nothing, whatever it is.
func TestPropertyPackKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap, lateness := rapid.Int64Range(1, 30).Draw(t, "gap")*minute, rapid.Int64Range(10, 60).Draw(t, "lateness")*minute
		configs, _ := generations(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "generations"), 1)), rapid.IntRange(1, 4).Draw(t, "number"), gap, lateness)
		p, out := NewPartition(configs[0], "web", 0), &Output{}
		defer p.Close()
		records := drawLog(t, drawEvolving, 1, lateness, 80)
		for i, cfg := range configs {
			if i > 0 {
				if err := p.Switch(cfg); err != nil {
					t.Fatal(err)
				}
			}
			n := len(records)
			if i < len(configs)-1 {
				n = rapid.IntRange(0, n).Draw(t, "until")
			}
			p.takeOpen(t, records[:n], out)
			records = records[n:]
		}
		for _, k := range p.open.all {
			if k.behind {
				p.catchUp(k)
			}
			want := k.describe(gap)
			record := k.pack(nil, k.head.last)
			back := &key{tenant: k.tenant, at: k.at, name: k.name}
			if !p.tryUnpack(back, record) || back.last != k.head.last {
				t.Fatalf("unpacked: last %d, want %d", back.last, k.head.last)
			}
			p.foldMuted(back, &back.head, back.tail)
			if got := back.describe(gap); got != want {
				t.Fatalf("unpacked\n%s\nwant\n%s", got, want)
			}
			if again := back.pack(nil, back.last); string(again) != string(record) {
				t.Fatalf("packed again %x, want %x", again, record)
			}
			for i := range k.tail {
				if !back.tail[i].sound() {
					t.Fatalf("beacon %d is not sound", i)
				}
			}
		}
	})
}
