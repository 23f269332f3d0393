package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
)

// TestExamples runs each of docs/examples over its input through replay and
// through up: both give the figures of the definition, to the last bit.
func TestExamples(t *testing.T) {
	for _, e := range examples.All(t, root) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			config, input := configOf(t, e.Config), inputOf(t, e)
			end := time.Now()
			if e.Closes {
				input, end = withEnd(t, input)
			}
			h := up(t, "-c", config)
			lines := examples.ReadLines(t, input, "file")
			if out, want := mustRun(t, "send", "-c", config, "--in", input), fmt.Sprintf("sent %d beacons\n", len(lines)); out != want {
				t.Errorf("send said %q, not %q", out, want)
			}
			figures, summary := replay(t, config, input)
			want := definition.Compute(e.Define(t), lines)
			if err := examples.CompareFigures(figures, want); err != nil {
				t.Errorf("replay and definition: %v", err)
			}
			if err := examples.CompareSummary(summary, want); err != nil {
				t.Errorf("replay and definition: %v", err)
			}
			figures = before(t, figures, end)
			h.waitForSummary(t, summary)
			h.waitForFigures(t, e.Tenant, figures)
			checkFormula(t, h, e, figures)
			h.terminate(t)

			again := up(t, "-c", config) // reads from the store what was final
			again.waitForFigures(t, e.Tenant, figures)
			checkFormula(t, again, e, figures)
			again.terminate(t)
		})
	}
}

// withEnd adds a beacon that comes long after all others, so that their sessions end,
// and gives its time: its own session ends in a replay, and otherwise is open.
func withEnd(t *testing.T, input string) (file string, end time.Time) {
	t.Helper()
	var raw []byte
	for _, line := range examples.ReadLines(t, input, "file") {
		var b struct{ TS int64 }
		if err := json.Unmarshal(line.Raw, &b); err != nil {
			t.Fatal(err)
		}
		if at := time.UnixMilli(b.TS); at.After(end) {
			end = at
		}
		raw = append(append(raw, line.Raw...), '\n')
	}
	end = end.Add(2 * time.Hour)
	file = filepath.Join(t.TempDir(), "ended.ndjson")
	raw = fmt.Appendf(raw, `{"ts":%d,"tenant":"shop","sid":"the end","id":"the end","type":"view"}`+"\n", end.UnixMilli())
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, end
}

// before gives the figures of minutes that begin up to a time.
func before(t *testing.T, figures []byte, end time.Time) (some []byte) {
	t.Helper()
	for line := range bytes.Lines(figures) {
		var f examples.FigureLine
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if !f.Minute.After(end) {
			some = append(some, line...)
		}
	}
	return some
}

// inputOf gives the example's real beacons, or generated ones.
func inputOf(t *testing.T, e examples.Example) string {
	t.Helper()
	if e.Real != "" {
		return e.Real
	}
	t.Log("the real input is not here: generated beacons take its place")
	return generated(t, 8000, "--format", e.Format)
}

// generated gives a file of generated beacons, some of them late or doubled.
func generated(t *testing.T, beacons int, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "generated.log")
	mustRun(t, append([]string{"generate", "--beacons", fmt.Sprint(beacons), "--seed", "5", "--rate", "5", "--start", "2025-01-01T00:00:00Z",
		"--delayed", "0.05", "--doubled", "0.02", "--out", file}, args...)...)
	return file
}

// ratio is a formula of an example: hits of a point by sessions that came.
var ratio = map[string]struct{ formula, point string }{
	"access-log": {"pages_per_visit", "page"},
	"shop":       {"conversion", "order"},
	"visits":     {"bounce_rate", "bounce"},
}

// checkFormula asks for a formula by hour and variant, and computes it from the
// figures.
func checkFormula(t *testing.T, h *host, e examples.Example, figures []byte) {
	t.Helper()
	type bucket struct {
		variant string
		hour    int64 // ms
	}
	points, visits := map[bucket]float64{}, map[bucket]float64{}
	f := ratio[e.Name]
	for line := range bytes.Lines(figures) {
		var g struct {
			Experiment, Variant, Status, Point string
			Minute                             time.Time
			Hits, Sessions                     float64
		}
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		if g.Experiment != "aa-test" || g.Status != "assigned" {
			continue
		}
		for _, b := range []bucket{{g.Variant, g.Minute.Truncate(time.Hour).UnixMilli()}, {g.Variant, -1}} {
			switch g.Point {
			case f.point:
				points[b] += g.Hits
			case "visit":
				visits[b] += g.Sessions
			}
		}
	}
	body, code, err := h.ask(http.MethodPost, "api/v1/"+e.Tenant+"/query", map[string]any{
		"formulas": []string{f.formula}, "experiment": "aa-test", "step": "1h", "status": "assigned",
	})
	if err != nil || code != http.StatusOK {
		t.Fatalf("query: %d %v %s", code, err, body)
	}
	var answer struct {
		Series []struct {
			Labels struct{ Variant string }
			Points [][2]*float64
			Total  *float64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	check := func(b bucket, got *float64) {
		switch visited := visits[b]; {
		case visited == 0 && got != nil, visited != 0 && (got == nil || *got != points[b]/visited):
			t.Errorf("%s of %v: %v, want %v / %v", f.formula, b, got, points[b], visited)
		}
	}
	told := 0
	for _, s := range answer.Series {
		check(bucket{s.Labels.Variant, -1}, s.Total)
		for _, p := range s.Points {
			check(bucket{s.Labels.Variant, int64(*p[0])}, p[1])
			if p[1] != nil {
				told++
			}
		}
	}
	if len(answer.Series) != 2 || told == 0 {
		t.Errorf("%d series, %d points: %.1000s", len(answer.Series), told, body)
	}
}
