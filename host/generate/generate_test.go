package generate

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestSameSeedSameBeacons(t *testing.T) {
	o := Options{Seed: 7, Start: time.UnixMilli(1_700_000_000_000), Delayed: 0.05, Doubled: 0.02}
	for _, format := range []string{"json", "query", "clf"} {
		o.Format = format
		a, b := New(o), New(o)
		var last time.Time
		for range 5000 {
			x, at := a.Next()
			y, _ := b.Next()
			if !bytes.Equal(x, y) {
				t.Fatalf("%s: %s\nand  %s", format, x, y)
			}
			if at.Before(last) {
				t.Fatalf("%s: sent at %v after %v", format, at, last)
			}
			last = at
		}
	}
}

// The share of ordering sessions must show the planted effect.
func TestEffectsAreThere(t *testing.T) {
	g := New(Options{Seed: 1, Start: time.UnixMilli(1_700_000_000_000), Rate: 1000})
	sessions, orders := map[string]map[string]bool{}, map[string]int{}
	for range 400_000 {
		raw, _ := g.Next()
		var b struct {
			Sid, Type, Platform string
			Headers             struct{ UA string }
			Exp                 []struct{ ID, Variant string }
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if b.Headers.UA == agents[4].agent {
			continue
		}
		v := b.Exp[0].Variant
		if sessions[v] == nil {
			sessions[v] = map[string]bool{}
		}
		sessions[v][b.Sid] = true
		if b.Type == "purchase" {
			orders[v]++
		}
	}
	rate := func(v string) float64 { return float64(orders[v]) / float64(len(sessions[v])) }
	if lift := rate("blue") / rate("control"); lift < 1.08 || lift > 1.22 {
		t.Errorf("blue orders %.3f times as often as control, planted is 1.15", lift)
	}
}
