package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi/tck"
)

// TestHostKit tries this host with all guests of the kit, as others may try theirs.
func TestHostKit(t *testing.T) {
	r := newRuntime(t)
	host := func(ctx context.Context, module []byte, config json.RawMessage, data map[string][]byte) (s tck.Subject, done func() error, err error) {
		m, err := r.Compile(ctx, "kit", module, func(o *options) { o.start = 1_000_000 })
		if err != nil {
			return s, nil, err
		}
		done = func() error { return m.Close(context.Background()) }
		first, err := m.Instantiate(ctx, config, data)
		if err != nil {
			return s, nil, errors.Join(err, done())
		}
		instance := func(ctx context.Context) (tck.Guest, func() error, error) {
			i, err := m.Instantiate(ctx, config, data)
			if err != nil {
				return nil, nil, err
			}
			return i, func() error { return i.Close(ctx) }, nil
		}
		return tck.Subject{Kind: m.Manifest().Kind, Plan: first.Plan(), New: instance, Closes: m.Closes()}, done, nil
	}
	guests := os.DirFS("../../abi/testdata")
	cases, err := tck.HostCases(guests)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[tck.Outcome]int{}
	for _, c := range cases {
		counts[c.Outcome]++
		if err := c.Try(t.Context(), guests, host); err != nil {
			t.Error(err)
		}
	}
	if len(counts) != 4 {
		t.Errorf("outcomes %v", counts)
	}
	known := map[string]bool{}
	for _, c := range cases {
		known[c.Guest] = true
	}
	for _, h := range hostile {
		if !known["hostile/"+h.guest] {
			t.Errorf("hosts.ndjson does not say what becomes of %s", h.guest)
		}
	}
}
