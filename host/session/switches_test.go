package session

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is committed comes back, and always fits.
func TestMetadata(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := metadata{
			TopicID: strings.Repeat("f", 32), Watermark: rapid.Int64().Draw(t, "watermark"), Within: rapid.Bool().Draw(t, "within"), Closed: rapid.Bool().Draw(t, "closed"),
			History: rapid.Int64().Draw(t, "history"),
		}
		offset, generation := int64(0), uint64(0)
		for range rapid.IntRange(1, 3*maxSwitches).Draw(t, "switches") {
			offset += rapid.Int64Range(0, math.MaxInt64/(3*maxSwitches)).Draw(t, "offset")
			generation += rapid.Uint64Range(1, math.MaxUint64/(3*maxSwitches)).Draw(t, "generation")
			m.Switches = m.Switches.add(offset, generation, rapid.Int64().Draw(t, "watermark then"))
		}
		m.Generation = generation
		text := m.String()
		if len(text) > maxMetadata {
			t.Fatalf("%d bytes", len(text))
		}
		back, err := parseMetadata(text)
		if err != nil || back.String() != text {
			t.Fatalf("%s comes back as %s, %v", text, back, err)
		}
	})
}

func TestSwitches(t *testing.T) {
	if s := (switches{{10, 2, 0}, {10, 4, 0}}); !s.held(10, 2) || !s.held(10, 4) || s.held(10, 1) || s.held(10, 5) || s.held(11, 2) {
		t.Errorf("a state before the first switches: %v", s)
	}
	s := switches{{10, 2, 0}, {20, 3, 0}, {20, 5, 0}, {30, 6, 0}}
	for _, c := range []struct {
		offset int64
		at     uint64
		next   int64 // -1: none
		held   []uint64
		not    []uint64
	}{
		{10, 2, 20, []uint64{2}, []uint64{1, 3}},
		{19, 2, 20, []uint64{2}, []uint64{3}},
		{20, 5, 30, []uint64{2, 3, 5}, []uint64{1, 6}},
		{21, 5, 30, []uint64{5}, []uint64{3, 6}},
		{30, 6, -1, []uint64{5, 6}, []uint64{3, 7}},
		{99, 6, -1, []uint64{6}, []uint64{5}},
	} {
		if g := s.at(c.offset); g != c.at {
			t.Errorf("at %d: generation %d, want %d", c.offset, g, c.at)
		}
		if next, ok := s.next(c.offset); ok != (c.next >= 0) || ok && next != c.next {
			t.Errorf("behind %d: %d, want %d", c.offset, next, c.next)
		}
		for _, g := range c.held {
			if !s.held(c.offset, g) {
				t.Errorf("no state at %d of generation %d", c.offset, g)
			}
		}
		for _, g := range c.not {
			if s.held(c.offset, g) {
				t.Errorf("a state at %d of generation %d", c.offset, g)
			}
		}
	}
}

func TestParseMetadata(t *testing.T) {
	for _, text := range []string{
		"", "hello", `{"switches":[[1]],"generation":1}`, `{"switches":[[1,2]],"generation":2}`, `{"switches":[[1,1,2,3]],"generation":1}`, `{"switches":[[0.5,1,0]],"generation":1}`,
		`{"topic_id":"07","generation":1,"watermark":5,"within":true}`, `{"switches":[[5,1,0],[4,2,0]],"generation":2}`, `{"switches":[[5,2,0],[6,2,0]],"generation":2}`,
		`{"switches":[[5,1,0],[6,2,0]],"generation":3}`, `{"switches":["a"],"generation":1}`,
	} {
		if m, err := parseMetadata(text); err == nil {
			t.Errorf("%s is taken for %+v", text, m)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(`{"topic_id":"07","generation":2,"watermark":5,"within":true,"switches":[[0,1,-9223372036854775808],[7,2,5]],"closed":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMetadata(text)
		if err != nil {
			return
		}
		for _, offset := range []int64{m.Switches.from(), math.MaxInt64} {
			if !m.Switches.held(offset, m.Switches.at(offset)) {
				t.Errorf("%s: at %d", text, offset)
			}
		}
		again, err := parseMetadata(m.String())
		if err != nil || again.String() != m.String() {
			t.Errorf("%s: %s, %v", text, again, err)
		}
	})
}
