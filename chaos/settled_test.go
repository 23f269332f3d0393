//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
)

// settled waits until the figures are the definition's, to the last bit, and the
// counts those of a replay.
func (w *world) settled(t *testing.T, what string, want *definition.Result) {
	t.Helper()
	h := w.hosts[0]
	waitFor(t, what+": the figures", func() error {
		for _, h := range w.hosts {
			if err := h.running(); err != nil {
				return err
			}
		}
		got, err := h.get("api/v1/shop/figures")
		if err != nil {
			return err
		}
		visits, err := h.get("api/v1/visits/figures")
		if err != nil {
			return err
		}
		got = append(got, visits...)
		if w.load.version == 0 {
			err = difference(got, w.load.figures)
		}
		if err == nil {
			err = examples.CompareFigures(got, want)
		}
		return err
	})
	waitFor(t, what+": the counts", func() error {
		s, err := h.status()
		if err != nil {
			return err
		}
		got, err := json.Marshal(map[string]any{"tenants": s.Beacons, "undecodable": s.Undecodable, "bad_value": s.BadValue})
		if err != nil {
			return err
		}
		return difference(canonical(t, got), canonical(t, w.load.summary))
	})
	w.say(t, "%s: all %d figures and all counts are right", what, len(want.Figures))
}

// difference tells the first lines that differ.
func difference(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return fmt.Errorf("of %d lines (wanted: %d) line %d is\n%s\nwanted:\n%s", len(g), len(w), i+1, g[i], w[i])
		}
	}
	return fmt.Errorf("%d lines, wanted: %d", len(g), len(w))
}

// canonical is JSON with its keys sorted.
func canonical(t *testing.T, text []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return sorted
}
