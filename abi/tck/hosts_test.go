package tck

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Every case names a guest that is there.
func TestHostCases(t *testing.T) {
	guests := os.DirFS("../testdata")
	cases, err := HostCases(guests)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if _, err := os.Stat("../testdata/" + c.Guest + ".wasm"); err != nil || seen[c.Guest] || c.Why == "" {
			t.Errorf("%+v: %v, twice: %v", c, err, seen[c.Guest])
		}
		seen[c.Guest] = true
	}
	for text, want := range map[string]string{
		`{"guest":"a","outcome":"odd"}`: `line 1: outcome "odd" is not known`,
		`{"guest":"a","outcomes":"x"}`:  `line 1: json: unknown field "outcomes"`,
	} {
		if _, err := HostCases(fstest.MapFS{"hosts.ndjson": {Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// Hosts that do otherwise are found.
func TestHostCaseTry(t *testing.T) {
	guests := fstest.MapFS{
		"g.wasm":          {Data: []byte("module")},
		"g.golden.ndjson": {Data: []byte(`{"config":{"a":1},"beacons":[{"n":1},{"n":2}],"expect":["odd",null],"counters":{"rows":2}}` + "\n\n" + `{"config":{},"expect":{"error":""}}`)},
	}
	no := errors.New("no")
	refuses := func(context.Context, []byte, json.RawMessage, map[string][]byte) (Subject, func() error, error) {
		return Subject{}, nil, no
	}
	host := func(spoil func(g *odd, b *abi.Batch, row int, keep bool) bool, fails bool) Load {
		return func(context.Context, []byte, json.RawMessage, map[string][]byte) (Subject, func() error, error) {
			s := subject(new(int), odd{spoil: spoil})
			if fails {
				s.New = func(context.Context) (Guest, func() error, error) {
					return &moody{fails: func(int64) bool { return true }}, func() error { return nil }, nil
				}
			}
			return s, func() error { return nil }, nil
		}
	}
	well, fails := host(nil, false), host(nil, true)
	other := host(func(_ *odd, _ *abi.Batch, _ int, keep bool) bool { return !keep }, false)
	impure := host(func(g *odd, _ *abi.Batch, _ int, keep bool) bool { return keep && g.calls < 2 }, false)
	for _, c := range []struct {
		outcome Outcome
		host    Load
		want    string // "" is none
	}{
		{Refused, refuses, ""}, {Refused, well, "it is loaded, and must be refused"},
		{Fails, fails, ""}, {Fails, well, "its answers are taken"}, {Fails, refuses, "it is refused, and must be loaded: no"},
		{Survives, refuses, ""}, {Survives, well, ""}, {Survives, fails, ""},
		{Well, well, ""}, {Well, refuses, "no"}, {Well, fails, "not 1"}, {Well, other, `beacon 0: answered null, expected "odd"`}, {Well, impure, "repeated: row"},
	} {
		err := (&HostCase{Guest: "g", Outcome: c.outcome, Why: "why"}).Try(t.Context(), guests, c.host)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, not %q", c.outcome, err, c.want)
		}
	}
}
